import { join } from 'node:path'
import { DAY_MS } from '@caretaker/kernel/time.ts'
import type { Appliance } from '../lifecycle/appliance.ts'

/** Logs hold what visitors did; what was set aside is kept this long. */
const KEPT_MS = 30 * DAY_MS

/** A log that was set aside, as `web.log.2`. */
const SET_ASIDE = /\.log\.\d+$/

export interface Cleaned {
  readonly files: number
  readonly bytes: number
}

/**
 * Removes what logs leave behind: parts that were set aside more than 30 days ago, and all logs and job histories of
 * applications that the config has not named for so long.
 */
export async function cleanLogs({ ports, folders, config }: Appliance): Promise<Cleaned> {
  const { files, clock } = ports
  const oldestMs = clock.now().getTime() - KEPT_MS
  let removed: Cleaned = { files: 0, bytes: 0 }
  const removeOld = async (path: string, isStale: boolean) => {
    const info = await files.stat(path)
    if (!info || !isStale || info.modifiedMs >= oldestMs) return
    removed = { files: removed.files + 1, bytes: removed.bytes + info.sizeBytes }
    await files.remove(path)
  }
  const namesOf = async (folder: string, kind: 'file' | 'folder') =>
    ((await files.list(folder)) ?? []).filter((entry) => entry.kind === kind).map((entry) => entry.name)
  const isGone = (app: string) => !Object.hasOwn(config.applications, app)
  /** Whose job it is: `APP.JOB`; one without a dot is the appliance's own. */
  const isGoneJob = (job: string) => job.includes('.') && isGone(job.split('.')[0] ?? '')

  for (const app of await namesOf(folders.logs, 'folder')) {
    const folder = join(folders.logs, app)
    // "jobs" holds a folder for each job beside what an application of that name would write.
    const isOrphan = app !== 'appliance' && app !== 'jobs' && isGone(app)
    for (const name of await namesOf(folder, 'file')) {
      await removeOld(join(folder, name), isOrphan || SET_ASIDE.test(name))
    }
    if (isOrphan && (await files.list(folder))?.length === 0) await files.remove(folder)
  }
  for (const job of await namesOf(join(folders.logs, 'jobs'), 'folder')) {
    const folder = join(folders.logs, 'jobs', job)
    for (const name of await namesOf(folder, 'file')) await removeOld(join(folder, name), isGoneJob(job))
    if (isGoneJob(job) && (await files.list(folder))?.length === 0) await files.remove(folder)
  }
  for (const name of await namesOf(join(folders.state, 'jobs'), 'file')) {
    await removeOld(join(folders.state, 'jobs', name), isGoneJob(name.replace(/\.jsonl$/, '')))
  }
  return removed
}
