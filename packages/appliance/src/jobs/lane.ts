import { isAppError, toAppError } from '@caretaker/kernel/errors.ts'
import { MINUTE_MS, SECOND_MS } from '@caretaker/kernel/time.ts'
import { withOperationLock } from '@caretaker/steps/operation-lock.ts'
import { type DueRun, decide, settledUntil } from './decide.ts'
import { appendHistory, readHistory } from './history.ts'
import type { JobHistory, JobRun } from './history-records.ts'
import type { Job, JobSurrounding } from './job.ts'
import { endInterrupted, recordSkip, runJob } from './run-job.ts'
import { dueRuns, nextDue } from './schedule.ts'

export interface LaneEvents {
  /** A run ended, or was left out. */
  ended(job: string, run: JobRun): Promise<void>
  /** A run could not be recorded, so it was not begun or its end is not known. */
  failed(job: string, error: unknown): Promise<void>
}

/** When a job has to be looked at again, and for which schedule that was worked out. */
interface Look {
  readonly key: string
  readonly atMs: number
}

/** How often a job is asked whether there is something for it to do out of turn. */
const WAKES_EVERY_MS = 15 * SECOND_MS
/** How long a job whose history is damaged is left alone. */
const DAMAGED_AGAIN_MS = 10 * MINUTE_MS

const STILL_RUNNING = 'it was still running'
const STILL_WAITING = 'it still waits for its turn'

/**
 * The one lane of the jobs. {@link JobLane.tick} notices what is due and begins the oldest of it when neither a job nor
 * an operation is under way; a run never holds up a tick.
 */
export class JobLane {
  readonly #events: LaneEvents
  readonly #queue = new Map<string, DueRun>()
  readonly #looks = new Map<string, Look>()
  #running: { readonly job: Job; readonly ended: Promise<void> } | undefined
  readonly #damagedUntilMs = new Map<string, number>()
  readonly #askedAtMs = new Map<string, number>()
  #lastTickMs = 0

  constructor(events: LaneEvents) {
    this.#events = events
  }

  /** Name of the job that runs. */
  get running(): string | undefined {
    return this.#running?.job.name
  }

  /** Resolves when no job runs that this has begun. */
  async idle(): Promise<void> {
    await this.#running?.ended
  }

  /**
   * Call it every few seconds. `signal` ends the runs that this begins; when `mayBegin` says no at the end,
   * what is due is only noticed.
   */
  async tick(
    around: JobSurrounding,
    jobs: readonly Job[],
    signal: AbortSignal,
    { mayBegin }: { readonly mayBegin: () => boolean } = { mayBegin: () => true },
  ): Promise<void> {
    const nowMs = around.ports.clock.now().getTime()
    // A clock that was set back makes what was worked out with the old one worthless.
    if (nowMs < this.#lastTickMs) {
      this.#looks.clear()
      this.#damagedUntilMs.clear()
    }
    this.#lastTickMs = nowMs
    for (const name of this.#queue.keys()) {
      if (!jobs.some((job) => job.name === name)) this.#queue.delete(name)
    }
    for (const job of jobs) await this.#noticeOrSay(around, job)
    for (const job of jobs) await this.#wake(around, job)
    if (mayBegin()) this.#begin(around, jobs, signal)
  }

  /** A history that cannot be used stops its own job only; it is said and looked at again after a while. */
  async #noticeOrSay(around: JobSurrounding, job: Job): Promise<void> {
    const nowMs = around.ports.clock.now().getTime()
    if (nowMs < (this.#damagedUntilMs.get(job.name) ?? 0)) return
    try {
      await this.#notice(around, job)
    } catch (error) {
      if (toAppError(error).code !== 'STATE_DAMAGED') throw error
      this.#damagedUntilMs.set(job.name, nowMs + DAMAGED_AGAIN_MS)
      await this.#events.failed(job.name, error)
    }
  }

  async #notice(around: JobSurrounding, job: Job): Promise<void> {
    const { ports, stateFolder } = around
    const now = ports.clock.now()
    const key = JSON.stringify([job.schedule, job.missed])
    const look = this.#looks.get(job.name)
    if (look && look.key === key && now.getTime() < look.atMs) return
    const isElsewhere = this.running !== job.name && (await this.#runsElsewhere(around, job.name))
    const history = await this.#scheduled(around, job, await readHistory(ports.files, stateFolder, job.name))
    if (isElsewhere || this.running === job.name) await this.#leaveOut(around, job, history, STILL_RUNNING)
    else if (this.#queue.has(job.name)) await this.#leaveOut(around, job, history, STILL_WAITING)
    else {
      const decision = decide(job, history, now)
      if (decision.action === 'run') this.#queue.set(job.name, decision)
      if (decision.action === 'skip') {
        const wanted = { trigger: 'catch-up', ...decision } as const
        await this.#events.ended(job.name, await recordSkip(around, job.name, wanted, decision.reason))
      }
    }
    const since = settledUntil(job.schedule, history, now)
    const next = nextDue(job.schedule, since && since > now ? since : now)
    const nextMs = next?.getTime() ?? Number.POSITIVE_INFINITY
    this.#looks.set(job.name, { key, atMs: isElsewhere ? now.getTime() : nextMs })
  }

  /** A job that sees something to do is run at once; nothing of its schedule is left out for that. */
  async #wake({ ports: { clock } }: JobSurrounding, job: Job): Promise<void> {
    if (!job.wakes || this.#queue.has(job.name) || this.running === job.name) return
    const nowMs = clock.monotonicMs()
    const askedAtMs = this.#askedAtMs.get(job.name) ?? Number.NEGATIVE_INFINITY
    if (nowMs - askedAtMs < WAKES_EVERY_MS) return
    this.#askedAtMs.set(job.name, nowMs)
    if (await job.wakes()) {
      this.#queue.set(job.name, { scheduledFor: clock.now(), trigger: 'schedule', dueTimes: 1 })
    }
  }

  /**
   * Whether another process, or a command of a person in this one, is at the job. Runs of a process that died are
   * recorded as interrupted; while somebody holds the lock, they may be his.
   */
  async #runsElsewhere(around: JobSurrounding, name: string): Promise<boolean> {
    const { ports, stateFolder, actor, pid } = around
    const { runs } = await readHistory(ports.files, stateFolder, name)
    if (runs.every((run) => run.result !== 'running')) return false
    const claim = { actor, purpose: `look after the job ${name}`, pid }
    try {
      const found = await withOperationLock(ports, stateFolder, claim, () => endInterrupted(around, name))
      for (const run of found) await this.#events.ended(name, run)
      return false
    } catch (error) {
      if (isAppError(error, 'LOCKED')) return true
      throw error
    }
  }

  /** A job that runs or waits is not begun again: what falls due meanwhile is left out. */
  async #leaveOut(around: JobSurrounding, job: Job, history: JobHistory, reason: string): Promise<void> {
    const now = around.ports.clock.now()
    const settled = settledUntil(job.schedule, history, now)?.getTime() ?? now.getTime()
    const queued = this.#queue.get(job.name)?.scheduledFor.getTime() ?? settled
    const due = dueRuns(job.schedule, new Date(Math.max(settled, queued)), now)
    const last = due.at(-1)
    if (!last) return
    const wanted = { trigger: 'schedule', scheduledFor: last, dueTimes: due.length } as const
    await this.#events.ended(job.name, await recordSkip(around, job.name, wanted, reason))
  }

  /** What was due before a job was there, had this schedule, or the clock was set back, is not missed. */
  async #scheduled(around: JobSurrounding, job: Job, history: JobHistory): Promise<JobHistory> {
    const { ports, stateFolder } = around
    const { pattern, zone } = job.schedule
    const known = history.scheduled
    const now = ports.clock.now()
    if (known?.pattern === pattern && known.zone === zone && settledUntil(job.schedule, history, now))
      return history
    const scheduled = { type: 'scheduled', at: now.toISOString(), pattern, zone } as const
    await appendHistory(ports.files, stateFolder, job.name, scheduled)
    this.#queue.delete(job.name)
    return { ...history, scheduled, runsOfSchedule: 0 }
  }

  #begin(around: JobSurrounding, jobs: readonly Job[], signal: AbortSignal): void {
    const first = this.#inOrder()[0]
    const job = jobs.find((entry) => entry.name === first?.[0])
    if (this.#running || !first || !job || signal.aborted) return
    const ended = this.#run(around, job, first[1], signal).finally(() => {
      this.#running = undefined
    })
    this.#running = { job, ended }
  }

  async #run(around: JobSurrounding, job: Job, due: DueRun, signal: AbortSignal): Promise<void> {
    this.#queue.delete(job.name)
    try {
      const run = await runJob(around, job, due, () => undefined, signal)
      await this.#events.ended(job.name, run)
    } catch (error) {
      // Somebody else is at work: it keeps its place and is tried again at the next tick.
      if (isAppError(error, 'LOCKED')) this.#queue.set(job.name, due)
      else await this.#events.failed(job.name, error).catch(() => undefined)
    }
  }

  #inOrder(): readonly (readonly [string, DueRun])[] {
    return [...this.#queue].toSorted(
      ([a, one], [b, other]) =>
        one.scheduledFor.getTime() - other.scheduledFor.getTime() || a.localeCompare(b),
    )
  }
}
