import { AppError, isAppError } from '@caretaker/kernel/errors.ts'
import { MINUTE_MS } from '@caretaker/kernel/time.ts'
import type { DatabaseAddress } from '@caretaker/ports/database.ts'
import type { Ports } from '@caretaker/ports/ports.ts'
import type { ProcessIdentity } from '@caretaker/ports/process.ts'
import { assertFolders } from './assert-folders.ts'
import { assertSocketPath, type Cluster, serverCommand } from './cluster.ts'
import { waitForPostgres } from './health.ts'
import { assertCluster } from './inspect.ts'
import type { PostgresPrograms } from './programs.ts'
import { makeRunFolder } from './run-folder.ts'
import { assertUnused, removeStaleLocks } from './stale-locks.ts'
import { stopCluster } from './stop.ts'

export type ServerPorts = Pick<Ports, 'files' | 'processes' | 'databases' | 'clock'>

/** Who runs the server: a supervisor that restarts processes must be the one to start and stop this one. */
export interface ServerLauncher {
  start(): Promise<ProcessIdentity>
  /** Stops it for good. */
  stop(identity: ProcessIdentity): Promise<void>
}

export interface StartOptions {
  /** Default: the server is started and stopped directly. */
  readonly launcher?: ServerLauncher
  /** Until it answers queries, crash recovery included. Default 10 min. */
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
}

/** Pauses before further tries: the children of a killed server need a moment to see that it is gone. */
const PAUSES_MS = [200, 500, 1500]

/**
 * Starts the server of a cluster that nobody runs yet and waits until it answers queries.
 * After a crash it recovers by itself; locks of dead servers are dealt with.
 * @throws AppError DATABASE_ABSENT, POSTGRES_MAJOR_MISMATCH, SOCKET_PATH_TOO_LONG, DISK_FULL, POSTGRES_START_FAILED,
 *   POSTGRES_UNREACHABLE (then the server is stopped again), CANCELLED
 */
export async function startCluster(
  ports: ServerPorts,
  programs: PostgresPrograms,
  cluster: Cluster,
  superuser: DatabaseAddress,
  options: StartOptions = {},
): Promise<ProcessIdentity> {
  const launcher = options.launcher ?? directLauncher(ports, programs, cluster)
  for (let attempt = 0; ; attempt++) {
    await prepareStart(ports, cluster)
    const identity = await launcher.start()
    try {
      await waitForPostgres(ports, { ...cluster, identity }, superuser, {
        timeoutMs: options.timeoutMs ?? 10 * MINUTE_MS,
        ...(options.signal ? { signal: options.signal } : {}),
      })
      return identity
    } catch (error) {
      const ended = !(await ports.processes.isAlive(identity))
      await launcher.stop(identity)
      if (options.signal?.aborted) throw cancelled(cluster.app)
      const pauseMs = PAUSES_MS[attempt]
      if (!ended || pauseMs === undefined || !isAppError(error, 'POSTGRES_START_FAILED')) throw error
      await ports.clock.wait(pauseMs, options.signal)
    }
  }
}

/**
 * What has to be so before a server is started: data of the right major, a socket folder, no stale locks.
 * @throws AppError DATABASE_ABSENT, POSTGRES_MAJOR_MISMATCH, SOCKET_PATH_TOO_LONG; POSTGRES_START_FAILED when a
 *   server runs on the data, or its folders are not as Postgres wants them
 */
export async function prepareStart(ports: Pick<Ports, 'files' | 'clock'>, cluster: Cluster): Promise<void> {
  const { files } = ports
  assertSocketPath(cluster.runFolder)
  await assertCluster(files, cluster)
  await assertFolders(files, cluster)
  await makeRunFolder(files, cluster)
  await assertUnused(ports, cluster)
  await removeStaleLocks(files, cluster)
}

function directLauncher(ports: ServerPorts, programs: PostgresPrograms, cluster: Cluster): ServerLauncher {
  return {
    start: () => ports.processes.start(serverCommand(programs, cluster)),
    stop: async (identity) => {
      await stopCluster(ports, identity)
    },
  }
}

function cancelled(app: string): AppError {
  return new AppError('CANCELLED', {
    what: `The start of Postgres of ${app} was cancelled`,
    why: 'a person stopped it',
    next: 'Run "caretaker operation list", then resume or undo the operation',
  })
}
