import { DAY_MS, HOUR_MS, MINUTE_MS } from '@caretaker/kernel/time.ts'
import type { JobHistory, JobRun } from './history-records.ts'
import type { Job } from './job.ts'
import { dueRuns } from './schedule.ts'

/** A run that begins later than this was missed: the appliance was off, asleep, or its clock was set forward. */
export const MISSED_AFTER_MS = MINUTE_MS
/**
 * A due time that was seen and lies further ahead than this was seen by a wrong clock and counts no more. Up to here
 * a clock set back only waits until it is past what was run already: no due time is run twice.
 */
const WRONG_CLOCK_MS = DAY_MS + HOUR_MS

export interface DueRun {
  readonly scheduledFor: Date
  readonly trigger: 'schedule' | 'catch-up'
  readonly dueTimes: number
}

export type Decision =
  | { readonly action: 'wait' }
  | ({ readonly action: 'run' } & DueRun)
  | {
      readonly action: 'skip'
      readonly scheduledFor: Date
      readonly dueTimes: number
      readonly reason: string
    }

type Planned = Pick<Job, 'schedule' | 'missed'>

/**
 * The due time up to which everything is settled: run, skipped, or before the job had its schedule. Undefined for a
 * job without a schedule in its history, or with one that only a wrong clock has seen.
 */
export function settledUntil(history: JobHistory, now: Date): Date | undefined {
  const instants = [history.scheduled?.at, ...history.runs.map((run) => run.scheduled_for)]
    .flatMap((text) => (typeof text === 'string' ? [Date.parse(text)] : []))
    .filter((atMs) => atMs <= now.getTime() + WRONG_CLOCK_MS)
  return instants.length === 0 ? undefined : new Date(Math.max(...instants))
}

/** What is to be done about a job now that neither runs nor waits for its turn. Pure. */
export function decide(job: Planned, history: JobHistory, now: Date): Decision {
  const since = settledUntil(history, now)
  const due = since ? dueRuns(job.schedule, since, now) : []
  const last = due.at(-1)
  if (!last) return owedRun(job, history, now)
  const isMissed = now.getTime() - last.getTime() > MISSED_AFTER_MS
  if (isMissed && job.missed === 'skip') {
    const reason = 'it was due while the appliance was off or its clock was set forward, and is not caught up'
    return { action: 'skip', scheduledFor: last, dueTimes: due.length, reason }
  }
  return {
    action: 'run',
    scheduledFor: last,
    trigger: isMissed ? 'catch-up' : 'schedule',
    dueTimes: due.length,
  }
}

/** A scheduled run that was interrupted was missed as well: it is caught up once, when the job says so. */
function owedRun(job: Planned, { runs }: JobHistory, now: Date): Decision {
  const last = lastBegun(runs)
  if (job.missed === 'skip' || last?.result !== 'interrupted' || last.trigger !== 'schedule') {
    return { action: 'wait' }
  }
  const scheduledFor = new Date(last.scheduled_for ?? now)
  return { action: 'run', scheduledFor, trigger: 'catch-up', dueTimes: last.due_times }
}

/** The newest run that was begun, whatever became of it. */
export function lastBegun(runs: readonly JobRun[]): JobRun | undefined {
  return runs.findLast((run) => run.started_at !== null)
}
