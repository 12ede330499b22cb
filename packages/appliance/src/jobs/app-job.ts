import { SECOND_MS } from '@caretaker/kernel/time.ts'
import { type AppJob, type Application, serviceNamed } from '../application/application.ts'
import { commandTail, runInService } from '../lifecycle/app-command.ts'
import { readAppRecord } from '../lifecycle/app-records.ts'
import { findRelease } from '../lifecycle/app-release.ts'
import type { Appliance } from '../lifecycle/appliance.ts'
import { readFacts } from '../lifecycle/facts.ts'
import { withGuests } from '../lifecycle/lock-guests.ts'
import type { Job } from './job.ts'
import { JobProgramError } from './run-job.ts'

/** The engine ends a job that takes too long; the limit of the process is only there if that fails. */
const PROCESS_GRACE_MS = 30 * SECOND_MS

/** The jobs of an application, as the release that runs describes them; none before it has run. */
export async function appJobs(appliance: Appliance, app: string): Promise<readonly Job[]> {
  const { releaseId } = await readAppRecord(appliance.ports.files, appliance.folders.apps, app)
  const loaded = releaseId === undefined ? undefined : await findRelease(appliance, app, releaseId)
  if (!loaded) return []
  const { application, release } = loaded
  return application.jobs.map((job) => appJob(appliance, application, release.releaseId, job))
}

function appJob(appliance: Appliance, application: Application, releaseId: string, job: AppJob): Job {
  const app = application.name
  const name = `${app}.${job.name}`
  return {
    name,
    app,
    schedule: { pattern: job.schedule, zone: appliance.config.identity.time_zone },
    missed: job.missed,
    timeoutMs: job.timeoutMs,
    refusal: () => whyNotNow(appliance, app),
    async work(output, signal) {
      // A command of a run that was interrupted must not go on beside this one.
      await appliance.runtime.endLeftovers()
      const service = serviceNamed(application, job.service)
      const options = { timeoutMs: job.timeoutMs + PROCESS_GRACE_MS, onLine: output }
      const result = await withGuests(appliance.stateFolder, () =>
        runInService(appliance, app, releaseId, service, job.command, options, signal),
      )
      if (result.exitCode !== 0) throw new JobProgramError(name, commandTail(result), result.exitCode)
      return result.exitCode
    },
  }
}

/** Why the jobs of an application do not run in the present state. */
async function whyNotNow(appliance: Appliance, app: string): Promise<string | undefined> {
  const { ports, stateFolder, folders, config } = appliance
  const facts = await readFacts(ports.files, stateFolder)
  if (facts.wanted === 'down') return 'the appliance was stopped'
  if (facts.manual) return `the appliance is in service mode: ${facts.manual.reason}`
  if (config.standby !== false) return `the appliance stands by: ${config.standby}`
  const broken = facts.failures['appliance'] ?? facts.failures[app]
  if (broken) return `${app} is not served: ${broken.why}`
  const record = await readAppRecord(ports.files, folders.apps, app)
  if (record.stopped) return `${app} was stopped`
  return undefined
}
