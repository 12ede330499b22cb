import type { JobRun } from '@caretaker/appliance/jobs/history-records.ts'
import { listJobs } from '@caretaker/appliance/jobs/known-jobs.ts'
import { JobLane } from '@caretaker/appliance/jobs/lane.ts'
import type { Appliance } from '@caretaker/appliance/lifecycle/appliance.ts'
import { toAppError } from '@caretaker/kernel/errors.ts'
import type { Clock } from '@caretaker/ports/clock.ts'
import type { DaemonLog } from './daemon-log.ts'

/** The lane of the jobs as the daemon keeps it: with the jobs of the config in force, and said in its log. */
export class JobKeeper {
  readonly #log: DaemonLog
  readonly #lane: JobLane
  #lastTrouble = ''

  constructor(log: DaemonLog) {
    this.#log = log
    this.#lane = new JobLane({
      ended: (job, run) => this.#ended(job, run),
      failed: (job, error) => this.#trouble(`job ${job} could not be recorded`, error),
    })
  }

  /** Notices what is due and begins it, if `mayBegin` still says so then. Never throws. */
  async tick(appliance: Appliance, signal: AbortSignal, mayBegin: () => boolean): Promise<void> {
    const around = { ...appliance, actor: { user: appliance.actor.user, via: 'schedule' } }
    try {
      await this.#lane.tick(around, await listJobs(appliance), signal, { mayBegin })
      this.#lastTrouble = ''
    } catch (error) {
      await this.#trouble('could not look after the jobs', error)
    }
  }

  /** Resolves when no job runs. */
  ended(): Promise<void> {
    return this.#lane.idle()
  }

  /** {@link ended}, but waits no longer than `limitMs`. */
  async endedWithin(limitMs: number, clock: Clock): Promise<void> {
    const ended = new AbortController()
    const idle = this.#lane.idle().finally(() => ended.abort())
    await Promise.race([idle, clock.wait(limitMs, ended.signal)])
  }

  async #ended(job: string, { result, trigger, duration_ms, reason, error, run }: JobRun): Promise<void> {
    const details = {
      run,
      trigger,
      duration_ms,
      reason,
      ...(error ? { code: error.code, why: error.why } : {}),
    }
    if (result === 'failed' || result === 'timeout') await this.#log.error(`job ${job}: ${result}`, details)
    else await this.#log.info(`job ${job}: ${result}`, details)
  }

  /** The same trouble again and again is logged once. */
  async #trouble(message: string, error: unknown): Promise<void> {
    const report = toAppError(error).toReport()
    const text = JSON.stringify([message, report])
    if (text === this.#lastTrouble) return
    this.#lastTrouble = text
    await this.#log.error(message, report)
  }
}
