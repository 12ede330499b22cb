import type { Appliance } from '@caretaker/appliance/lifecycle/appliance.ts'
import type { PartProblem } from '@caretaker/appliance/lifecycle/appliance-state.ts'
import { lostStorage } from '@caretaker/appliance/lifecycle/check-storage.ts'
import { returnFromCrashLoop } from '@caretaker/appliance/lifecycle/crash-loop-return.ts'
import { readFacts } from '@caretaker/appliance/lifecycle/facts.ts'
import { boundLogs } from '@caretaker/appliance/lifecycle/housekeeping.ts'
import { keepConfig } from '@caretaker/appliance/lifecycle/keep-config.ts'
import { UpKeeper } from '@caretaker/appliance/lifecycle/keep-up.ts'
import { type OpenedInForce, openForStart, openInForce } from '@caretaker/appliance/lifecycle/open.ts'
import { keepBallast } from '@caretaker/appliance/lifecycle/state-disk.ts'
import { showUnconfigured } from '@caretaker/appliance/lifecycle/unconfigured.ts'
import { hasUnfinishedUpdate } from '@caretaker/appliance/lifecycle/unfinished-update.ts'
import { up } from '@caretaker/appliance/lifecycle/up.ts'
import { AppError, isAppError, toAppError } from '@caretaker/kernel/errors.ts'
import { formatDuration, MINUTE_MS, SECOND_MS } from '@caretaker/kernel/time.ts'
import { configProblem } from '../cli/report-state.ts'
import { fallbackEndpoints } from '../commands/gateway.ts'
import type { DaemonOptions } from './daemon.ts'
import type { DaemonLog } from './daemon-log.ts'
import { JobKeeper } from './job-keeper.ts'
import { StateLog } from './state-log.ts'

/** The log tells a change of the state at the latest after this, and at once when the daemon has a hand in it. */
const LOOK_EVERY_MS = 30 * SECOND_MS
const TEND_EVERY_MS = 500
/** No job: a service can write a disk full between two due times, and its runs would be all that the history holds. */
const BOUND_LOGS_EVERY_MS = 30 * SECOND_MS
/** How long applications may run beside a data volume that has gone, and wait after it is back. */
const LOOK_AT_STORAGE_EVERY_MS = 2 * SECOND_MS
/** How late a job may begin. */
const JOBS_EVERY_MS = 2 * SECOND_MS
/** How long a command of a person waits for a job; one that goes on is said to hold the lock. */
const WAIT_FOR_JOB_MS = 10 * SECOND_MS
/** How long after a failed start it is tried again by itself: what it waited for may have come. */
const TRY_AGAIN_MS = 60 * SECOND_MS
/** A wall clock that differs by more than this from the time that passed was set. */
const JUMP_MS = MINUTE_MS

const STARTING = {
  what: 'No config is in force yet',
  why: 'the daemon has just been started',
  next: 'Look again in a moment',
}

/**
 * What the daemon does when nobody asks it anything: brings the appliance up, starts again what ends, keeps logs
 * bounded, runs what is due. Steps aside while a command is under way.
 */
export class Keeper {
  readonly #options: DaemonOptions
  readonly #log: DaemonLog
  readonly #keeper = new UpKeeper()
  #opened: OpenedInForce | undefined
  #refused: AppError | undefined
  /** Commands that have ended, and how many of them had when the config was read: each may have changed it. */
  #ended = 0
  #known = -1
  #commands = 0
  /** Commands of people that take the lock, or wait for it. */
  #people = 0
  readonly #running = new Set<Promise<unknown>>()
  #tending: Promise<unknown> = Promise.resolve()
  readonly #jobs: JobKeeper
  #broughtUp = false
  #hasTurned = false
  #lastReason = ''
  /** The data volume was gone at the last look. */
  #isStorageLost = false
  #next = { logs: 0, config: 0, up: 0, state: 0, storage: 0 }
  readonly #states: StateLog
  /** It was up before: looking at everything again takes a moment, and commands wait for it. */
  #wasUp = false
  /** Wall clock minus monotonic clock at the last turn. */
  #offsetMs: number

  constructor(options: DaemonOptions, log: DaemonLog) {
    this.#options = options
    this.#log = log
    this.#states = new StateLog(log)
    this.#jobs = new JobKeeper(log)
    this.#offsetMs = this.#clockOffset()
  }

  /** The appliance with the config in force; undefined while there is none. */
  get opened(): OpenedInForce | undefined {
    return this.#opened
  }

  /** Whether it has looked once at all there is to do: what could be shown is shown. */
  get hasTurned(): boolean {
    return this.#hasTurned
  }

  /** {@link opened} for whoever reports the state. @throws AppError CONFIG_… why there is none */
  async inForce(): Promise<OpenedInForce> {
    if (this.#opened) return this.#opened
    throw this.#refused ?? new AppError('CONFIG_NOT_FOUND', STARTING)
  }

  /** Runs a command of a person; nothing else is begun meanwhile. Afterwards the config is read again. */
  async command<T>(work: () => Promise<T>, { decides }: { readonly decides: boolean }): Promise<T> {
    this.#commands += 1
    try {
      const result = await this.job(work)
      // A person has decided what is up: the start that was still to come is not.
      if (decides) this.#broughtUp = true
      return result
    } finally {
      this.#commands -= 1
      this.#ended += 1
      this.#next.config = 0
      this.#next.state = 0
    }
  }

  /** Runs a command that disturbs nothing. */
  async beside<T>(work: () => Promise<T>): Promise<T> {
    const running = work()
    this.#running.add(running)
    try {
      return await running
    } finally {
      this.#running.delete(running)
    }
  }

  /**
   * Runs a command that takes the lock, beside what keeps the appliance up. What is being started again holds the lock for
   * a moment, and a job by schedule gets a moment to end: a person is not refused for these, and none is begun meanwhile.
   */
  async job<T>(work: () => Promise<T>): Promise<T> {
    this.#people += 1
    try {
      return await this.beside(async () => {
        await this.#tending
        await this.#jobs.endedWithin(WAIT_FOR_JOB_MS, this.#options.around.ports.clock)
        return work()
      })
    } finally {
      this.#people -= 1
      this.#next.state = 0
    }
  }

  /** Resolves when no command is under way. */
  async idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.allSettled(this.#running)
  }

  /** Until `signal` fires, and what was begun has ended. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#keepUp(signal), this.#keepJobs(signal)])
  }

  async #keepJobs(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options.around.ports
    while (!signal.aborted) {
      const appliance = this.#opened?.appliance
      // What was missed is caught up by an appliance that is up, or has tried.
      const isReady = this.#broughtUp || this.#next.up > 0
      if (appliance && isReady) await this.#jobs.tick(appliance, signal, () => this.#mayBegin())
      await clock.wait(JOBS_EVERY_MS, signal)
    }
    await this.#jobs.ended()
  }

  async #keepUp(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options.around.ports
    while (!signal.aborted) {
      try {
        if (this.#commands === 0) await this.#turn(signal)
        else await this.#tend({ begins: false }, signal)
      } catch (error) {
        if (!isAppError(error, 'LOCKED') && !isAppError(error, 'CANCELLED')) {
          await this.#say('could not tend the appliance', toAppError(error).toReport())
        }
      }
      this.#hasTurned = true
      await clock.wait(TEND_EVERY_MS, signal)
    }
  }

  async #turn(signal: AbortSignal): Promise<void> {
    const appliance = await this.#configured()
    if (!appliance) return
    const nowMs = appliance.ports.clock.monotonicMs()
    await this.#noticeJump()
    await this.#noticeStorage(appliance, nowMs)
    if (this.#broughtUp && nowMs >= this.#next.up) {
      // What could not be taken back for want of room or of the engine is tried again.
      this.#next.up = nowMs + TRY_AGAIN_MS
      this.#broughtUp = !(await hasUnfinishedUpdate(appliance))
      if (!this.#broughtUp) this.#next.up = nowMs
    }
    if (!this.#broughtUp && nowMs >= this.#next.up) {
      this.#next.up = nowMs + TRY_AGAIN_MS
      this.#next.state = 0
      const bringing = this.#bringUp(appliance, signal)
      if (this.#wasUp) this.#tending = bringing.catch(() => undefined)
      await bringing
    }
    await this.#tend({ begins: true }, signal)
    if (nowMs >= this.#next.state) {
      this.#next.state = nowMs + LOOK_EVERY_MS
      await this.#states.look(appliance, this.#refusedPart(appliance))
    }
    if (nowMs >= this.#next.logs) {
      this.#next.logs = nowMs + BOUND_LOGS_EVERY_MS
      await boundLogs(appliance)
      await keepBallast(appliance.ports, appliance.stateFolder)
    }
  }

  /** With a config from before a command, what that command has just put up would be taken down again. */
  #mayBegin(): boolean {
    return this.#people === 0 && this.#known === this.#ended
  }

  /** Looks after the services; without `begins` only under the lock of a command that lets others in. */
  async #tend({ begins }: { readonly begins: boolean }, signal: AbortSignal): Promise<void> {
    const appliance = this.#opened?.appliance
    if (!appliance) return
    const mayBegin = () => begins && this.#mayBegin()
    const tending = this.#keeper.tend(appliance, signal, { mayBegin })
    if (begins) this.#tending = tending.catch(() => undefined)
    for (const event of await tending) {
      this.#next.state = 0
      await this.#log.info(`${event.app} ${event.service}: ${event.did}`, { because: event.because })
      if (begins && event.did === 'is in a crash loop') {
        const because = `the service ${event.service} ${event.did}: ${event.because}`
        await this.#returnFrom(event.app, because, signal)
      }
    }
  }

  /** An update that does not hold is taken back, where that loses nothing. */
  async #returnFrom(app: string, because: string, signal: AbortSignal): Promise<void> {
    if (!this.#opened) return
    const result = await returnFromCrashLoop(this.#opened, app, because, signal)
    if (result)
      await this.#log.info(`${app}: went back to the release before`, { outcome: result.outcome, because })
  }

  /**
   * A clock that was set, or stood still while the machine slept, can make certificates invalid: everything is looked at
   * as at a start, which changes nothing where all is well.
   */
  async #noticeJump(): Promise<void> {
    const offsetMs = this.#clockOffset()
    const jumpedMs = offsetMs - this.#offsetMs
    this.#offsetMs = offsetMs
    if (Math.abs(jumpedMs) < JUMP_MS) return
    const direction = jumpedMs > 0 ? 'ahead' : 'back'
    await this.#log.info(`the clock was set ${direction} by ${formatDuration(Math.abs(jumpedMs))}`, {
      code: 'CLOCK_JUMPED',
    })
    this.#wasUp = this.#broughtUp
    this.#broughtUp = false
    this.#next.up = 0
  }

  /** On a data volume that has gone nothing may run; when it is back, everything is brought up again. */
  async #noticeStorage(appliance: Appliance, nowMs: number): Promise<void> {
    if (nowMs < this.#next.storage) return
    this.#next.storage = nowMs + LOOK_AT_STORAGE_EVERY_MS
    const lost = await lostStorage(appliance)
    if ((lost !== undefined) === this.#isStorageLost) return
    this.#isStorageLost = lost !== undefined
    await this.#log.info(
      lost ? 'the data volume has gone' : 'the data volume is back',
      lost?.toReport() ?? {},
    )
    this.#broughtUp = false
    this.#next.up = 0
  }

  #clockOffset(): number {
    const { clock } = this.#options.around.ports
    return clock.now().getTime() - clock.monotonicMs()
  }

  async #bringUp(appliance: Appliance, signal: AbortSignal): Promise<void> {
    const { wanted } = await readFacts(appliance.ports.files, appliance.stateFolder)
    if (wanted === 'down') {
      this.#broughtUp = true
      await this.#log.info('the appliance stays stopped, as "caretaker down" said', {})
      return
    }
    const report = await up(appliance, { firstStart: false }, () => undefined, signal)
    this.#broughtUp = report.errors.length === 0
    if (this.#broughtUp) await this.#say('the appliance is up', { operations: report.operations.length })
    for (const error of report.errors) await this.#say('not everything is up', error)
  }

  /** The appliance, opened again after a command; while there is no config the service page says so. */
  async #configured(): Promise<Appliance | undefined> {
    // A config that is refused, or missing, may be corrected without a command.
    const isRead = this.#opened !== undefined && this.#opened.refused === undefined
    if (isRead && this.#known === this.#ended) return this.#opened?.appliance
    const { around, configFile } = this.#options
    const nowMs = around.ports.clock.monotonicMs()
    if (nowMs < this.#next.config) return this.#opened?.appliance
    this.#next.config = nowMs + 2 * SECOND_MS
    this.#known = this.#ended
    try {
      // A start takes what is there; what is changed after that waits for a command that applies it.
      const open = this.#opened ? openInForce : openForStart
      const opened = await open(around, configFile)
      if (opened.refused) await this.#say('the config is refused', opened.refused.toReport())
      else if (!opened.isChanged) await this.#keep(opened)
      this.#opened = opened
      return opened.appliance
    } catch (error) {
      const reported = toAppError(error)
      this.#opened = undefined
      this.#refused = reported
      await this.#say('there is no config', reported.toReport())
      await showUnconfigured(around, fallbackEndpoints(around.ports.machine.user().uid), reported)
      return undefined
    }
  }

  /** A spare copy that cannot be written for damage in its place takes nothing from visitors; the log tells it. */
  async #keep({ loaded }: OpenedInForce): Promise<void> {
    const { ports, stateFolder } = this.#options.around
    try {
      await keepConfig(ports, stateFolder, loaded)
    } catch (error) {
      const reported = toAppError(error)
      if (reported.code !== 'STATE_DAMAGED') throw reported
      await this.#say('the config is in force but not kept', reported.toReport())
    }
  }

  #refusedPart(appliance: Appliance): readonly PartProblem[] {
    const refused = this.#opened?.refused
    return refused ? [configProblem(refused, appliance.ports.clock.now().toISOString())] : []
  }

  /** Logs what is new; the same thing again and again is logged once. */
  async #say(message: string, details: object): Promise<void> {
    const text = JSON.stringify([message, details])
    if (text === this.#lastReason) return
    this.#lastReason = text
    await this.#log.info(message, details)
  }
}
