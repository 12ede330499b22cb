import { AppError, diskFull } from '@caretaker/kernel/errors.ts'
import { formatDuration } from '@caretaker/kernel/time.ts'
import { formatBytes, KIB } from '@caretaker/kernel/units.ts'
import type { Clock } from '@caretaker/ports/clock.ts'
import { lastLines, saysDiskFull } from '@caretaker/ports/command.ts'
import { type DatabaseAddress, DatabaseError, type Databases } from '@caretaker/ports/database.ts'
import { waitUntil } from '@caretaker/ports/deadline.ts'
import type { Files } from '@caretaker/ports/files.ts'
import type { Processes, ProcessIdentity } from '@caretaker/ports/process.ts'

/**
 * - `ready`: it answers queries.
 * - `starting`: it is there but does not answer yet: it starts, recovers or stops.
 * - `refusing`: it is up but lets us not in or has no free connection; `why` says which.
 * - `unreachable`: nothing answers.
 */
export type PostgresHealth =
  | { readonly state: 'ready' }
  | { readonly state: 'starting' | 'refusing' | 'unreachable'; readonly why: string }

/** With less than this a server cannot start: it writes its lock file, its log and its status. */
const STUCK_BYTES = 256 * KIB
/** SQLSTATE cannot_connect_now. */
const CANNOT_CONNECT_NOW = '57P03'

/** Asks by a real query. Never throws for what a server or its absence can cause. */
export async function checkPostgres(
  databases: Databases,
  address: DatabaseAddress,
  timeoutMs = 3000,
): Promise<PostgresHealth> {
  try {
    await databases.withSession(address, { timeoutMs }, (session) => session.query('SELECT 1'))
    return { state: 'ready' }
  } catch (error) {
    if (!(error instanceof DatabaseError)) throw error
    if (error.sqlState === CANNOT_CONNECT_NOW) return { state: 'starting', why: error.message }
    return { state: error.sqlState === undefined ? 'unreachable' : 'refusing', why: error.message }
  }
}

/**
 * Waits until the server answers queries. One that recovers from a crash is waited for as long as `timeoutMs`.
 * @throws AppError DISK_FULL, POSTGRES_START_FAILED when its process ended or lets us not in, POSTGRES_UNREACHABLE when the
 *   time is over; both with the last lines of its log.
 */
export async function waitForPostgres(
  ports: {
    databases: Databases
    processes: Pick<Processes, 'isAlive'>
    clock: Clock
    files: Pick<Files, 'readText' | 'space'>
  },
  server: {
    readonly identity: ProcessIdentity
    readonly logFile: string
    readonly app: string
    readonly dataFolder: string
  },
  address: DatabaseAddress,
  options: { readonly timeoutMs: number; readonly signal?: AbortSignal },
): Promise<void> {
  let last = 'it was not asked'
  const failure = await waitUntil(ports.clock, options, async () => {
    if (!(await ports.processes.isAlive(server.identity))) return 'ended'
    const health = await checkPostgres(ports.databases, address)
    if (health.state === 'ready') return 'ready'
    last = health.why
    return health.state === 'refusing' ? 'refusing' : undefined
  })
  if (failure === 'ready') return
  const log = await logTail(ports.files, server.logFile)
  const what = `Postgres of ${server.app} does not serve`
  const next = `Look at ${server.logFile}, correct what it complains about, then run "caretaker up"`
  if (failure === 'ended') {
    const { availableBytes, mount } = await ports.files.space(server.dataFolder)
    // On the same disk as its log it cannot even complain.
    if (saysDiskFull(log) || availableBytes < STUCK_BYTES) {
      const more = `: ${formatBytes(availableBytes)} are free; its process ended${log}`
      throw diskFull({ what, path: server.dataFolder, mount, more })
    }
    throw new AppError('POSTGRES_START_FAILED', { what, why: `its process ended${log}`, next })
  }
  if (failure === 'refusing') {
    throw new AppError('POSTGRES_START_FAILED', {
      what,
      why: `it refuses the connection: ${last}${log}`,
      next,
    })
  }
  const why = options.signal?.aborted
    ? 'the wait was cancelled'
    : `not ready within ${formatDuration(options.timeoutMs)}`
  throw new AppError('POSTGRES_UNREACHABLE', { what, why: `${why}: ${last}${log}`, next })
}

/** The last lines of a log, as the end of a sentence. */
async function logTail(files: Pick<Files, 'readText'>, logFile: string): Promise<string> {
  const lines = lastLines((await files.readText(logFile)) ?? '', 6)
  return lines === '' ? '; its log is empty' : `; its log ends with: ${lines}`
}
