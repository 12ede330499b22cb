import { AppError } from '@caretaker/kernel/errors.ts'
import { readableId } from '@caretaker/kernel/ids.ts'
import { SECOND_MS } from '@caretaker/kernel/time.ts'
import type { Clock } from '@caretaker/ports/clock.ts'
import { waitUntil } from '@caretaker/ports/deadline.ts'
import type { Files } from '@caretaker/ports/files.ts'
import { type Cluster, socketPath } from './cluster.ts'

/** LOCK_FILE_LINE_PM_STATUS of pidfile.h, counted from 0. */
const STATUS_LINE = 7

/**
 * Removes what a server that is gone left behind and that would stop the next one.
 *
 * Postgres takes its lock file for valid when any process of the same user has the pid in it. After a reboot, in
 * a container, or in a copy of a running cluster that is often another process altogether. A server's working
 * folder is its data folder, so that is what tells. A pid that nobody has is left to Postgres, whose own check also
 * finds children that outlive their server.
 *
 * @throws AppError POSTGRES_START_FAILED when a server does run on this data.
 */
export async function removeStaleLocks(
  files: Pick<Files, 'readText' | 'stat' | 'write' | 'remove'>,
  cluster: Pick<Cluster, 'app' | 'dataFolder' | 'runFolder' | 'ownPids'>,
): Promise<void> {
  const lock = lockFile(cluster)
  const pid = (await files.readText(lock))?.split('\n')[0]?.trim() ?? ''
  if (cluster.ownPids) await files.remove(lock)
  else if (/^\d+$/.test(pid) && (await files.stat(`/proc/${pid}`))) {
    const [server] = await workingIn(files, [pid], cluster.dataFolder)
    if (server !== undefined) throw inUse(cluster, server)
    await files.remove(lock)
  }
  const socket = socketPath(cluster.runFolder)
  await files.remove(`${socket}.lock`)
  await files.remove(socket)
}

/** Whether the server has been told to end: it says so in its lock file, as pg_ctl reads it (pidfile.h). */
export async function isStopping(
  files: Pick<Files, 'readText'>,
  cluster: Pick<Cluster, 'dataFolder'>,
): Promise<boolean> {
  const lines = (await files.readText(lockFile(cluster)))?.split('\n') ?? []
  return lines[STATUS_LINE]?.trim() === 'stopping'
}

function lockFile({ dataFolder }: Pick<Cluster, 'dataFolder'>): string {
  return `${dataFolder}/postmaster.pid`
}

/**
 * Waits until no server works on this data whose lock says nothing here: the pid in the lock of one in a container is not
 * one of this machine. The children of a server that was killed need a moment to see that it is gone.
 * @throws AppError POSTGRES_START_FAILED when one still does
 */
export async function assertUnused(
  ports: { readonly files: UnusedFiles; readonly clock: Clock },
  cluster: Pick<Cluster, 'app' | 'dataFolder'>,
): Promise<void> {
  let last: string | undefined
  await waitUntil(ports.clock, { timeoutMs: CHILDREN_LIMIT_MS }, async () => {
    ;[last] = await workingIn(ports.files, await serverPids(ports.files), cluster.dataFolder)
    return last === undefined ? true : undefined
  })
  if (last !== undefined) throw inUse(cluster, last)
}

type UnusedFiles = Pick<Files, 'list' | 'readText' | 'stat' | 'write' | 'remove'>

/** How long the children of a killed server may take to end. */
const CHILDREN_LIMIT_MS = 10 * SECOND_MS

async function serverPids(files: Pick<Files, 'list' | 'readText'>): Promise<readonly string[]> {
  const pids = ((await files.list('/proc')) ?? [])
    .map(({ name }) => name)
    .filter((name) => /^\d+$/.test(name))
  const names = await Promise.all(
    // It may end while it is looked at.
    pids.map((pid) => files.readText(`/proc/${pid}/comm`).catch(() => undefined)),
  )
  return pids.filter((_pid, index) => names[index]?.trim() === 'postgres')
}

function inUse({ app, dataFolder }: Pick<Cluster, 'app' | 'dataFolder'>, pid: string): AppError {
  return new AppError('POSTGRES_START_FAILED', {
    what: `Postgres of ${app} was not started`,
    why: `process ${pid} runs on ${dataFolder} already`,
    next: `Stop it ("kill -INT ${pid}"), then run "caretaker up"`,
  })
}

/** Those of the processes whose working folder is `folder`, whatever path it is known by. */
async function workingIn(
  files: Pick<Files, 'stat' | 'write' | 'remove'>,
  pids: readonly string[],
  folder: string,
): Promise<readonly string[]> {
  if (pids.length === 0) return []
  const probe = `caretaker-probe-${readableId(12)}`
  await files.write(`${folder}/${probe}`, '', 0o600)
  try {
    const found = await Promise.all(
      // Another user's process, of which we may not see the folder: Postgres does not take it for a server either.
      pids.map((pid) => files.stat(`/proc/${pid}/cwd/${probe}`).catch(() => undefined)),
    )
    return pids.filter((_pid, index) => found[index] !== undefined)
  } finally {
    await files.remove(`${folder}/${probe}`)
  }
}
