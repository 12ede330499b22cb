import { AppError } from '@caretaker/kernel/errors.ts'
import { findLockHolder, type LockHolder } from '@caretaker/steps/operation-lock.ts'
import type { Appliance } from '../lifecycle/appliance.ts'
import { decide, lastBegun, settledUntil } from './decide.ts'
import { readHistory } from './history.ts'
import type { JobHistory, JobResult, JobRun } from './history-records.ts'
import type { Job, JobOutput } from './job.ts'
import { jobNamed, listJobs } from './known-jobs.ts'
import { runJob } from './run-job.ts'
import { runLogPath } from './run-log.ts'
import { nextDue } from './schedule.ts'

export interface JobLine {
  readonly job: string
  /** Null for a job of the appliance itself. */
  readonly app: string | null
  readonly schedule: string
  readonly time_zone: string
  readonly missed: 'once' | 'skip'
  readonly timeout_ms: number
  /** `waiting`: it is due and waits for its turn in the lane. */
  readonly state: 'idle' | 'waiting' | 'running'
  /** Of the newest run; a skipped one is one. */
  readonly last_result: JobResult | null
  /** When the newest run that was begun began, and how long it took. */
  readonly last_started_at: string | null
  readonly last_duration_ms: number | null
  /** Null when it never falls due again. */
  readonly next_run_at: string | null
}

export interface JobsReport {
  readonly jobs: readonly JobLine[]
  /** Who is at work: jobs and operations take turns. */
  readonly lane: { readonly state: 'free' | 'taken'; readonly taken_by: LockHolder | null }
}

/** Every job with its last and next run. Looks only. */
export async function reportJobs(appliance: Appliance): Promise<JobsReport> {
  const { ports, stateFolder } = appliance
  const holder = await findLockHolder(ports, stateFolder)
  const now = ports.clock.now()
  const lines = (await listJobs(appliance)).map(async (job) =>
    lineOf(job, await readHistory(ports.files, stateFolder, job.name), holder, now),
  )
  return {
    jobs: await Promise.all(lines),
    lane: { state: holder ? 'taken' : 'free', taken_by: holder ?? null },
  }
}

function lineOf(job: Job, history: JobHistory, holder: LockHolder | undefined, now: Date): JobLine {
  const runs = history.runs.map((run) => seen(run, holder))
  const begun = lastBegun(runs)
  const since = settledUntil(job.schedule, history, now)
  const isWaiting = decide(job, { ...history, runs }, now).action === 'run'
  const next = nextDue(job.schedule, since && since > now ? since : now)
  return {
    job: job.name,
    app: job.app ?? null,
    schedule: job.schedule.pattern,
    time_zone: job.schedule.zone,
    missed: job.missed,
    timeout_ms: job.timeoutMs,
    state: begun?.result === 'running' ? 'running' : isWaiting ? 'waiting' : 'idle',
    last_result: runs.at(-1)?.result ?? null,
    last_started_at: begun?.started_at ?? null,
    last_duration_ms: begun?.duration_ms ?? null,
    next_run_at: next?.toISOString() ?? null,
  }
}

/** A run without its end, while nobody holds the lock that it would hold, was interrupted. */
function seen(run: JobRun, holder: LockHolder | undefined): JobRun {
  if (run.result !== 'running' || holder) return run
  return { ...run, result: 'interrupted', reason: 'the process that ran it died' }
}

/** The newest `limit` runs of a job, the newest first. @throws AppError JOB_UNKNOWN */
export async function reportHistory(
  appliance: Appliance,
  name: string,
  limit: number,
): Promise<readonly JobRun[]> {
  const { ports, stateFolder } = appliance
  await jobNamed(appliance, name)
  const holder = await findLockHolder(ports, stateFolder)
  const { runs } = await readHistory(ports.files, stateFolder, name)
  return runs
    .slice(-limit)
    .toReversed()
    .map((run) => seen(run, holder))
}

export interface JobLog {
  readonly job: string
  readonly run: JobRun
  readonly file: string
  /** Oldest first; empty when it said nothing. */
  readonly lines: readonly string[]
}

/** What a run said: the newest one, or the one with this id. @throws AppError JOB_UNKNOWN, JOB_RUN_UNKNOWN */
export async function readJobLog(appliance: Appliance, name: string, run?: string): Promise<JobLog> {
  const runs = await reportHistory(appliance, name, Number.POSITIVE_INFINITY)
  const chosen = runs.find((entry) => (run === undefined ? entry.started_at !== null : entry.run === run))
  if (!chosen) {
    throw new AppError('JOB_RUN_UNKNOWN', {
      what: `There is no log of the job ${name}`,
      why: run === undefined ? 'no run of it is remembered' : `no run "${run}" is remembered`,
      next: run === undefined ? `caretaker job run ${name}` : `caretaker job history ${name}`,
    })
  }
  const file = runLogPath(appliance.stateFolder, name, chosen.run)
  const text = ((await appliance.ports.files.readText(file)) ?? '').replace(/\n$/, '')
  return { job: name, run: chosen, file, lines: text === '' ? [] : text.split('\n') }
}

/** Runs a job because a person asks for it. @throws AppError JOB_UNKNOWN, LOCKED */
export async function runJobNow(
  appliance: Appliance,
  name: string,
  output: JobOutput,
  signal: AbortSignal,
): Promise<JobRun> {
  const job = await jobNamed(appliance, name)
  const wanted = { trigger: 'person', scheduledFor: undefined, dueTimes: 0 } as const
  return runJob(appliance, job, wanted, output, signal)
}
