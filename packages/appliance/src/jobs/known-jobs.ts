import { AppError } from '@caretaker/kernel/errors.ts'
import { ownApplications } from '../config/clone.ts'
import { closest } from '../config/suggest.ts'
import type { Appliance } from '../lifecycle/appliance.ts'
import { appJobs } from './app-job.ts'
import type { Job } from './job.ts'
import { ownJobs } from './own-jobs.ts'

/** Every job of the appliance: its own, then those of its applications. Those of clones do not run by schedule. */
export async function listJobs(appliance: Appliance): Promise<readonly Job[]> {
  const apps = Object.keys(ownApplications(appliance.config))
  // An application whose record or release cannot be read is the matter of `status`; the other jobs go on.
  const ofApps = await Promise.all(apps.map((app) => appJobs(appliance, app).catch(() => [])))
  return [...ownJobs(appliance), ...ofApps.flat()]
}

/** @throws AppError JOB_UNKNOWN, with the name that was probably meant */
export async function jobNamed(appliance: Appliance, name: string): Promise<Job> {
  const jobs = await listJobs(appliance)
  const job = jobs.find((entry) => entry.name === name)
  if (job) return job
  const names = jobs.map((entry) => entry.name)
  const meant = names.find((known) => known.split('.')[1] === name) ?? closest(name, names)
  throw new AppError('JOB_UNKNOWN', {
    what: `There is no job "${name}"`,
    why: `the jobs are ${names.join(', ')}`,
    next: meant === undefined ? 'caretaker job list' : `Did you mean "${meant}"?`,
  })
}
