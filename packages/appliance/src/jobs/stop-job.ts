import { AppError } from '@caretaker/kernel/errors.ts'
import { formatDuration, SECOND_MS } from '@caretaker/kernel/time.ts'
import { waitUntil } from '@caretaker/ports/deadline.ts'
import { createAuditLog } from '@caretaker/steps/audit.ts'
import type { Appliance } from '../lifecycle/appliance.ts'
import type { JobRun } from './history-records.ts'
import { reportHistory } from './job-reports.ts'
import { askToStop } from './stop-request.ts'

/** More than the runner takes to notice, to ask the program to end and then to end it. */
const STOP_LIMIT_MS = 30 * SECOND_MS

/**
 * Ends the run of a job that is under way, whoever runs it: its program is asked to end, then ended. Gives the run as
 * it ended; when it came to its own end first, that is what it says.
 * @throws AppError JOB_UNKNOWN, JOB_NOT_RUNNING, JOB_NOT_STOPPED
 */
export async function stopJob(appliance: Appliance, name: string, signal: AbortSignal): Promise<JobRun> {
  const { ports, stateFolder, actor } = appliance
  const newest = async (): Promise<JobRun | undefined> =>
    (await reportHistory(appliance, name, Number.POSITIVE_INFINITY)).find((run) => run.started_at !== null)
  const running = await newest()
  if (running?.result !== 'running') {
    throw new AppError('JOB_NOT_RUNNING', {
      what: `The job ${name} was not stopped`,
      why: 'it does not run',
      next: '"caretaker job list" shows what runs, "caretaker job history" how it ended',
    })
  }
  await askToStop(ports.files, stateFolder, name, { ...actor, run: running.run })
  const ended = await waitUntil(ports.clock, { timeoutMs: STOP_LIMIT_MS, signal }, async () => {
    const runs = await reportHistory(appliance, name, Number.POSITIVE_INFINITY)
    const run = runs.find((entry) => entry.run === running.run)
    return run && run.result !== 'running' ? run : undefined
  })
  await createAuditLog(ports.files, stateFolder).write({
    at: ports.clock.now().toISOString(),
    user: actor.user,
    via: actor.via,
    operation: running.run,
    purpose: `stop the job ${name}`,
    step: '-',
    result: ended?.result ?? 'failed',
    duration_ms: ended?.duration_ms ?? 0,
    ...(ended ? {} : { error: signal.aborted ? 'CANCELLED' : 'JOB_NOT_STOPPED' }),
  })
  if (ended) return ended
  if (signal.aborted) {
    throw new AppError('CANCELLED', {
      what: 'Nobody waits for the end of the job any more',
      why: 'a person asked for it',
      next: `The job is still asked to end: "caretaker job history ${name}" tells when it has`,
    })
  }
  throw new AppError('JOB_NOT_STOPPED', {
    what: `The job ${name} goes on`,
    why: `it did not end within ${formatDuration(STOP_LIMIT_MS)}; it is still asked to`,
    next: '"caretaker job list" names the process that is at work: look why it does not answer, or end it',
  })
}
