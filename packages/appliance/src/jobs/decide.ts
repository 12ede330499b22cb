import { DAY_MS, HOUR_MS, MINUTE_MS } from '@caretaker/kernel/time.ts'
import type { JobHistory, JobRun } from './history-records.ts'
import type { Job } from './job.ts'
import { dueRuns, type Schedule } from './schedule.ts'

/** A run that begins later than this was missed: the appliance was off, asleep, or its clock was set forward. */
export const MISSED_AFTER_MS = MINUTE_MS
/**
 * What was settled and lies further ahead than this was seen by a wrong clock, as was what has more than
 * {@link MOST_LEFT_OUT} due times before it: then the schedule begins anew. Up to here a clock set back only waits until
 * it is past what was run already, so that no due time is run twice.
 */
const WRONG_CLOCK_MS = DAY_MS + HOUR_MS
/** How many of its times a clock set back costs a job at most. */
const MOST_LEFT_OUT = 2

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
 * job without a schedule in its history, or with one that has run ahead by a wrong clock.
 */
export function settledUntil(
  schedule: Schedule,
  { scheduled, runs, runsOfSchedule }: JobHistory,
  now: Date,
): Date | undefined {
  const ofSchedule = runs.slice(runs.length - runsOfSchedule)
  const instants = [scheduled?.at, ...ofSchedule.map((run) => run.scheduled_for)].flatMap((text) =>
    typeof text === 'string' ? [Date.parse(text)] : [],
  )
  if (instants.length === 0) return undefined
  const newest = new Date(Math.max(...instants))
  return newest <= now || isSoon(schedule, now, newest) ? newest : undefined
}

function isSoon(schedule: Schedule, now: Date, ahead: Date): boolean {
  if (ahead.getTime() > now.getTime() + WRONG_CLOCK_MS) return false
  return dueRuns(schedule, now, ahead).length <= MOST_LEFT_OUT
}

/** What is to be done about a job now that neither runs nor waits for its turn. Pure. */
export function decide(job: Planned, history: JobHistory, now: Date): Decision {
  const since = settledUntil(job.schedule, history, now)
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
