import { AppError, isAppError, toAppError } from '@caretaker/kernel/errors.ts'
import { operationId } from '@caretaker/kernel/ids.ts'
import { formatDuration, SECOND_MS } from '@caretaker/kernel/time.ts'
import { createAuditLog } from '@caretaker/steps/audit.ts'
import { withOperationLock } from '@caretaker/steps/operation-lock.ts'
import { appendHistory, readHistory } from './history.ts'
import type { JobRun, JobTrigger } from './history-records.ts'
import type { Job, JobOutput, JobSurrounding } from './job.ts'
import { pruneRunLogs, RunLog, runLogPath } from './run-log.ts'
import { findStopRequest, forgetStopRequest } from './stop-request.ts'

/** How soon a run is ended after a person asked for it. */
const LOOK_FOR_STOP_MS = SECOND_MS / 2

export interface WantedRun {
  readonly trigger: JobTrigger
  /** When it was due; undefined when a person asks for it. */
  readonly scheduledFor: Date | undefined
  /** How many due times it stands for. */
  readonly dueTimes: number
}

/**
 * Runs a job once, alone: under the lock of operations. However it ends, it is in its history; a job that must not run
 * in the present state is there as skipped.
 * @throws AppError LOCKED before anything is written; DISK_FULL, READ_ONLY, NO_PERMISSION when the history cannot be
 */
export async function runJob(
  around: JobSurrounding,
  job: Job,
  wanted: WantedRun,
  output: JobOutput,
  signal: AbortSignal,
): Promise<JobRun> {
  const { ports, stateFolder, actor, pid } = around
  const claim = { actor, purpose: `job ${job.name}`, pid, stop: `caretaker job stop ${job.name}` }
  return withOperationLock(ports, stateFolder, claim, async () => {
    await endInterrupted(around, job.name)
    const refusal = await job.refusal()
    if (refusal !== undefined) return recordSkip(around, job.name, wanted, refusal)
    return new Attempt(around, job, wanted).run(output, signal)
  })
}

/** Records that a job was due and left out. */
export async function recordSkip(
  { ports, stateFolder }: JobSurrounding,
  job: string,
  wanted: WantedRun,
  reason: string,
): Promise<JobRun> {
  const now = ports.clock.now()
  const run: JobRun = {
    ...blank(job, wanted, now),
    ended_at: now.toISOString(),
    result: 'skipped',
    reason,
  }
  await appendHistory(ports.files, stateFolder, job, { type: 'ended', run })
  return run
}

/**
 * Records runs without an end as interrupted. The caller holds the lock of operations: who began them is dead.
 * Gives what was found.
 */
export async function endInterrupted(
  { ports, stateFolder }: JobSurrounding,
  job: string,
): Promise<readonly JobRun[]> {
  const { runs } = await readHistory(ports.files, stateFolder, job)
  const found = runs
    .filter((run) => run.result === 'running')
    .map((run): JobRun => {
      const reason = 'the process that ran it died'
      return { ...run, result: 'interrupted', ended_at: ports.clock.now().toISOString(), reason }
    })
  for (const run of found) await appendHistory(ports.files, stateFolder, job, { type: 'ended', run })
  return found
}

function blank(job: string, wanted: WantedRun, now: Date): JobRun {
  return {
    run: operationId(job, now),
    trigger: wanted.trigger,
    scheduled_for: wanted.scheduledFor?.toISOString() ?? null,
    due_times: wanted.dueTimes,
    started_at: null,
    ended_at: null,
    duration_ms: null,
    result: 'running',
    exit_code: null,
    reason: null,
    error: null,
  }
}

/** One run that was begun. */
class Attempt {
  readonly #around: JobSurrounding
  readonly #job: Job
  readonly #started: JobRun

  constructor(around: JobSurrounding, job: Job, wanted: WantedRun) {
    const now = around.ports.clock.now()
    this.#around = around
    this.#job = job
    this.#started = { ...blank(job.name, wanted, now), started_at: now.toISOString() }
  }

  async run(output: JobOutput, signal: AbortSignal): Promise<JobRun> {
    const { ports, stateFolder } = this.#around
    const { clock, files } = ports
    const { name } = this.#job
    await appendHistory(files, stateFolder, name, { type: 'started', run: this.#started })
    const log = new RunLog(files, runLogPath(stateFolder, name, this.#started.run))
    const startedMs = clock.monotonicMs()
    const end = await this.#work((line, from) => {
      log.line(line)
      output(line, from)
    }, signal)
    if (end.error) log.line(`${end.error.what}: ${end.error.why}`)
    const unwritten = await log.end()
    const run: JobRun = {
      ...this.#started,
      ...end,
      reason:
        end.reason ?? (unwritten === undefined ? null : `its log is not whole: ${toAppError(unwritten).why}`),
      ended_at: clock.now().toISOString(),
      duration_ms: Math.round(clock.monotonicMs() - startedMs),
    }
    await appendHistory(files, stateFolder, name, { type: 'ended', run })
    await this.#afterwards(run)
    return run
  }

  async #work(
    output: JobOutput,
    signal: AbortSignal,
  ): Promise<Pick<JobRun, 'result' | 'exit_code' | 'reason' | 'error'>> {
    const { clock } = this.#around.ports
    const overdue = new AbortController()
    const stopped = new AbortController()
    const ended = new AbortController()
    const { timeoutMs, name } = this.#job
    void clock.wait(timeoutMs, ended.signal).then(() => {
      if (!ended.signal.aborted) overdue.abort()
    })
    const watching = this.#stopOnRequest(stopped, ended.signal)
    try {
      const ends = AbortSignal.any([signal, overdue.signal, stopped.signal])
      const exitCode = await this.#job.work(output, ends)
      return { result: 'done', exit_code: exitCode ?? null, reason: null, error: null }
    } catch (cause) {
      if (overdue.signal.aborted) return { ...FAILED, result: 'timeout', error: tooLong(name, timeoutMs) }
      if (stopped.signal.aborted)
        return { ...FAILED, result: 'cancelled', reason: String(stopped.signal.reason) }
      if (signal.aborted) return { ...FAILED, result: 'interrupted', reason: 'it was ended from outside' }
      const error = toAppError(cause)
      return { ...FAILED, exit_code: exitCodeIn(error), error: error.toReport() }
    } finally {
      ended.abort()
      await watching
    }
  }

  /** Fires `stopped`, with who asked as its reason, when a person wants this run to end. */
  async #stopOnRequest(stopped: AbortController, ended: AbortSignal): Promise<void> {
    const { ports, stateFolder } = this.#around
    const { files, clock } = ports
    while (!ended.aborted && !stopped.signal.aborted) {
      const request = await findStopRequest(files, stateFolder, this.#job.name, this.#started.run)
      if (request) stopped.abort(`${request.user} stopped it (${request.via})`)
      else await clock.wait(LOOK_FOR_STOP_MS, ended)
    }
  }

  /** What does not change how the run ended. */
  async #afterwards(run: JobRun): Promise<void> {
    const { ports, stateFolder, actor } = this.#around
    const { runs } = await readHistory(ports.files, stateFolder, this.#job.name)
    await forgetStopRequest(ports.files, stateFolder, this.#job.name)
    await pruneRunLogs(ports.files, stateFolder, this.#job.name, new Set(runs.map((entry) => entry.run)))
    // What the clock begins is in the history; the audit log tells what people did.
    if (run.trigger !== 'person') return
    await createAuditLog(ports.files, stateFolder).write({
      at: ports.clock.now().toISOString(),
      user: actor.user,
      via: actor.via,
      operation: run.run,
      purpose: `run the job ${this.#job.name}`,
      step: '-',
      result: run.result,
      duration_ms: run.duration_ms ?? 0,
      ...(run.error ? { error: run.error.code } : {}),
    })
  }
}

const FAILED = { result: 'failed', exit_code: null, reason: null, error: null } as const

/** A program of a job ended by itself, with an error. */
export class JobProgramError extends AppError {
  readonly programExitCode: number | undefined

  constructor(job: string, why: string, programExitCode: number | undefined) {
    super('JOB_FAILED', {
      what: `The job ${job} failed`,
      why,
      next: `Look at "caretaker job logs ${job}", correct what it complains about, then "caretaker job run ${job}"`,
    })
    this.programExitCode = programExitCode
  }
}

function exitCodeIn(error: AppError): number | null {
  return isAppError(error, 'JOB_FAILED') && error instanceof JobProgramError
    ? (error.programExitCode ?? null)
    : null
}

function tooLong(job: string, timeoutMs: number) {
  return new AppError('JOB_TIMEOUT', {
    what: `The job ${job} was ended`,
    why: `it did not finish within ${formatDuration(timeoutMs)}`,
    next: `Look at "caretaker job logs ${job}" for what it waited for, then "caretaker job run ${job}"`,
  }).toReport()
}
