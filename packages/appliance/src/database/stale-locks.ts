import { AppError } from '@caretaker/kernel/errors.ts'
import { readableId } from '@caretaker/kernel/ids.ts'
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
    if (await worksIn(files, pid, cluster.dataFolder)) {
      throw new AppError('POSTGRES_START_FAILED', {
        what: `Postgres of ${cluster.app} was not started`,
        why: `process ${pid} runs on ${cluster.dataFolder} already`,
        next: `Stop it ("kill -INT ${pid}"), then run "caretaker up"`,
      })
    }
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

/** Whether the working folder of the process is `folder`, whatever path it is known by. */
async function worksIn(
  files: Pick<Files, 'stat' | 'write' | 'remove'>,
  pid: string,
  folder: string,
): Promise<boolean> {
  const probe = `caretaker-probe-${readableId(12)}`
  await files.write(`${folder}/${probe}`, '', 0o600)
  try {
    return (await files.stat(`/proc/${pid}/cwd/${probe}`)) !== undefined
  } catch {
    // Another user's process, of which we may not see the folder: Postgres does not take it for a server either.
    return false
  } finally {
    await files.remove(`${folder}/${probe}`)
  }
}
