import { AppError, type ErrorReport, isAppError, toAppError } from '@caretaker/kernel/errors.ts'
import type { ExitCode } from '@caretaker/kernel/exit-codes.ts'
import type { EmitEvent } from '@caretaker/steps/events.ts'
import { withOperationLock } from '@caretaker/steps/operation-lock.ts'
import { resumeInterrupted } from '@caretaker/steps/operations.ts'
import type { Plan } from '@caretaker/steps/plan.ts'
import { isNothingToDo, previewPlan } from '@caretaker/steps/preview.ts'
import { type OperationResult, runPlanLocked } from '@caretaker/steps/runner.ts'
import { startedApplications } from '../config/clone.ts'
import { listAppRecords, mendAppRecord } from './app-records.ts'
import { type Appliance, openAppliance, runnerFor } from './appliance.ts'
import { unservableBecause } from './check-config.ts'
import { DATA_LOST } from './check-storage.ts'
import { forgetEngine, rememberEngine } from './engine-before.ts'
import { clearFailure, type Facts, readFacts, replaceFailure, updateFacts } from './facts.ts'
import { factsOfBefore } from './facts-of-before.ts'
import { observeApps } from './observe.ts'
import { assertOwnFolder } from './own-folder.ts'
import { applianceSteps, planApp, planBase, planFront } from './plan-up.ts'
import { endHolds, isGatewayCurrent, refreshGateway } from './refresh-gateway.ts'
import { keepBallast } from './state-disk.ts'
import { movedPlans, stopApps, strayPlans, strayServices } from './stop-apps.ts'
import { tendCertificatesLocked } from './tend-certificates.ts'
import { assertNoUnfinishedUpdate } from './unfinished-update.ts'
import { wantedRelease } from './wanted-release.ts'
import { waysBackAgain } from './way-back-again.ts'

export interface UpOptions {
  /** An empty data volume is a beginning although this appliance was started before. */
  readonly firstStart: boolean
  /**
   * Of the applications this one is meant: no other one decides how it ended, nor is it brought up unless all were down.
   * Default: all.
   */
  readonly only?: string
}

/** What `up` did. `nothing_to_do`: everything was as the config says. */
export interface UpReport {
  readonly nothing_to_do: boolean
  readonly operations: readonly OperationResult[]
  readonly errors: readonly ErrorReport[]
  /** What does not keep anything from being served, as a certificate that could not be had. */
  readonly warnings: readonly ErrorReport[]
  /** Why no application was started although all went well: service mode or standby, and what ends that. */
  readonly not_started: string | null
  readonly exit_code: ExitCode
}

/**
 * Brings the appliance to what its config says. Every part is an idempotent step; an application that fails does not
 * keep the others from starting. Failures of steps are in the report, and remembered until the part works.
 * @throws AppError LOCKED
 */
export async function up(
  appliance: Appliance,
  options: UpOptions,
  emit: EmitEvent,
  signal: AbortSignal,
): Promise<UpReport> {
  const claim = { actor: appliance.actor, purpose: 'start the appliance', pid: appliance.pid }
  await prepareStateFolder(appliance)
  return withOperationLock(appliance.ports, appliance.stateFolder, claim, () =>
    upLocked(appliance, options, emit, signal),
  )
}

/** {@link up} for a caller that holds the lock. */
export async function upLocked(
  appliance: Appliance,
  options: UpOptions,
  emit: EmitEvent,
  signal: AbortSignal,
): Promise<UpReport> {
  const work = new UpWork(appliance, options.only, emit, signal)
  try {
    await work.resume()
    if (await work.base(options)) {
      await work.moved()
      await work.strays()
      if (!(await work.mayStartApps())) await work.onlyServicePage()
      else await work.apps()
    }
    await work.certificates()
  } finally {
    await work.end()
  }
  return work.report()
}

/** Ids of operations that {@link UpWork} runs itself. */
const IS_START = /^\d+-\d+-(up|start-.+|obtain-.+|serve-certificates)-[^-]+$/

/** One run of `up`. */
class UpWork {
  #appliance: Appliance
  readonly #only: string | undefined
  readonly #emit: EmitEvent
  readonly #signal: AbortSignal
  readonly #operations: OperationResult[] = []
  readonly #errors: ErrorReport[] = []
  readonly #warnings: ErrorReport[] = []
  /** Interrupted starts: how they end does not count, since this run does the same anew. */
  readonly #superseded = new Set<string>()
  /** Other applications are not brought up. */
  #leavesOthers = false
  #cancelled = false
  #notStarted: string | null = null

  constructor(appliance: Appliance, only: string | undefined, emit: EmitEvent, signal: AbortSignal) {
    this.#appliance = appliance
    this.#only = only
    this.#emit = emit
    this.#signal = signal
  }

  facts(): Promise<Facts> {
    return readFacts(this.#appliance.ports.files, this.#appliance.stateFolder)
  }

  /** What a crash interrupted is finished first. */
  async resume(): Promise<void> {
    this.#leavesOthers = this.#only !== undefined && (await this.facts()).wanted !== 'down'
    await this.#change(() => ({ wanted: 'up', daemonEnded: undefined }))
    await rememberEngine(this.#appliance)
    const { ports, folders } = this.#appliance
    for (const app of await listAppRecords(ports.files, folders.apps))
      await mendAppRecord(ports.files, folders.apps, app)
    // A command of a caller that died must not go on beside what is done now.
    await this.#appliance.runtime.endLeftovers().catch(unlessEngineAway)
    const runner = this.#runner()
    const interrupted = await resumeInterrupted(runner, this.#signal)
    const results = [...interrupted, ...(await waysBackAgain(this.#appliance, runner, this.#signal))]
    this.#operations.push(...results)
    for (const { operation } of results)
      if (IS_START.test(operation) || this.#only !== undefined) this.#superseded.add(operation)
  }

  /** Gateway, certificates, storage. False when nothing more can be started. */
  async base(options: UpOptions): Promise<boolean> {
    const appliance = this.#appliance
    const unservable = unservableBecause(appliance.config)
    const plan = unservable
      ? planFront(appliance)
      : planBase(appliance, await factsOfBefore(appliance), options.firstStart)
    try {
      if (!(await this.#isBaseInEffect(plan))) {
        await this.#begin(await this.#serves())
        await this.#run(plan, 'appliance')
      }
      if (unservable) throw unservable
    } catch (error) {
      const reported = toAppError(error)
      await this.#fail('appliance', reported.toReport())
      if (DATA_LOST.has(reported.code)) {
        // Visitors read the reason before what they use is stopped.
        await refreshGateway(this.#appliance).catch(() => undefined)
        await this.onlyServicePage({ database: true })
      }
      return false
    }
    await this.#change((facts) => ({
      startedBefore: true,
      failures: clearFailure(facts.failures, 'appliance'),
    }))
    await keepBallast(appliance.ports, appliance.stateFolder)
    // The service user may have been created just now.
    this.#appliance = await openAppliance(appliance, appliance.config, appliance.configFile)
    return true
  }

  /** False in service mode and on standby. */
  async mayStartApps(): Promise<boolean> {
    this.#notStarted = whyNotStarted(this.#appliance, await this.facts()) ?? null
    return this.#notStarted === null
  }

  async apps(): Promise<void> {
    for (const app of startedApplications(this.#appliance.config)) {
      if (app !== this.#only && this.#leavesOthers) continue
      if (this.#signal.aborted) {
        this.#cancelled = true
        return
      }
      try {
        await this.#app(app)
      } catch (error) {
        await this.#fail(app, toAppError(error).toReport())
      }
    }
  }

  /** What runs as something else than the config says by now makes room first, its database too. */
  async moved(): Promise<void> {
    const appliance = this.#appliance
    for (const plan of await movedPlans(appliance, this.#only)) {
      const result = await runPlanLocked(this.#runner(), plan, this.#signal)
      this.#operations.push(result)
      if (result.outcome === 'cancelled') throw cancelled(result.operation)
      if (result.errors[0]) throw AppError.fromReport(result.errors[0])
    }
    if (await forgetEngine(appliance))
      this.#appliance = await openAppliance(appliance, appliance.config, appliance.configFile)
  }

  /** What still runs of applications that the config does not name any more is stopped. */
  async strays(): Promise<void> {
    if (this.#only !== undefined) return
    for (const plan of await strayPlans(this.#appliance)) {
      if (await this.#isInEffect(plan)) continue
      this.#operations.push(await runPlanLocked(this.#runner(), plan, this.#signal))
    }
  }

  async onlyServicePage(options: { readonly database: boolean } = { database: false }): Promise<void> {
    this.#operations.push(...(await stopApps(this.#appliance, this.#emit, this.#signal, options)))
    // What is not started cannot prove that its record is whole again; that it can be read does.
    for (const { app, trouble } of await observeApps(this.#appliance)) {
      await this.#change(({ failures }) =>
        !trouble && failures[app]?.code === 'STATE_DAMAGED' ? { failures: clearFailure(failures, app) } : {},
      )
    }
  }

  /** Certificates from elsewhere: last, since nothing waits for them, and also when only the service page is shown. */
  async certificates(): Promise<void> {
    if (this.#signal.aborted) return
    const { operations, failure } = await tendCertificatesLocked(this.#appliance, {
      emit: this.#emit,
      signal: this.#signal,
    })
    this.#operations.push(...operations)
    for (const { operation } of operations) this.#superseded.add(operation)
    // It stands in the state, whoever noticed it.
    if (failure && this.#only === undefined) this.#warnings.push(failure)
  }

  async report(): Promise<UpReport> {
    const failed = this.#operations.filter(
      (result) => result.outcome !== 'done' && !this.#superseded.has(result.operation),
    )
    const codes: ExitCode[] = [
      ...failed.map((result) => result.exit_code),
      ...this.#errors.map((error) => error.exit_code),
    ]
    const warned: ExitCode = this.#warnings.length > 0 ? 3 : 0
    return {
      nothing_to_do:
        this.#operations.length === 0 &&
        this.#errors.length === 0 &&
        this.#warnings.length === 0 &&
        !this.#cancelled,
      operations: this.#operations,
      errors: this.#errors,
      warnings: this.#warnings,
      not_started: this.#notStarted,
      exit_code: codes.includes(5) ? 5 : (codes[0] ?? (this.#cancelled ? 130 : warned)),
    }
  }

  /** The state is no longer "starting", and the gateway shows what is. */
  async end(): Promise<void> {
    const { failures } = await this.#change(() => ({ activity: undefined }))
    try {
      if (!(await isGatewayCurrent(this.#appliance))) await refreshGateway(this.#appliance)
      await endHolds(this.#appliance)
      if (failures.gateway)
        await this.#change((facts) => ({ failures: clearFailure(facts.failures, 'gateway') }))
    } catch (error) {
      // A gateway that was not started has said so already.
      if (!failures.appliance) await this.#fail('gateway', toAppError(error).toReport())
    }
  }

  async #app(app: string): Promise<void> {
    await assertNoUnfinishedUpdate(this.#appliance, app)
    const wanted = await wantedRelease(this.#appliance, app, this.#signal)
    const plan = planApp(this.#appliance, wanted, await strayServices(this.#appliance, wanted))
    const preview = await previewPlan(applianceSteps(this.#appliance), plan, this.#signal)
    const blocked = preview.steps.find((step) => step.state === 'blocked')
    if (blocked) {
      const { summary, why = '', next = '' } = blocked
      throw new AppError('STEP_BLOCKED', { what: `"${summary}" cannot be done`, why, next })
    }
    if (!isNothingToDo(preview)) {
      await this.#begin(true)
      await this.#run(plan, app)
    }
    await this.#change((facts) => ({ failures: clearFailure(facts.failures, app) }))
  }

  /** Whether an application runs: what is done for another one must not take it from its visitors. */
  async #serves(): Promise<boolean> {
    return (await observeApps(this.#appliance)).some(({ upstream }) => upstream !== undefined)
  }

  async #begin(serving: boolean): Promise<void> {
    const since = this.#appliance.ports.clock.now().toISOString()
    const before = (await this.facts()).activity
    if (before?.kind === 'starting' && before.serving === serving) return
    await this.#change(() => ({ activity: { kind: 'starting', since: before?.since ?? since, serving } }))
    if (serving) await refreshGateway(this.#appliance).catch(() => undefined)
  }

  /** What cannot even be looked at, as a lost data volume, is told to visitors: the service page comes first. */
  async #isBaseInEffect(plan: Plan): Promise<boolean> {
    try {
      return await this.#isInEffect(plan)
    } catch (error) {
      const front = planFront(this.#appliance)
      if (!(await this.#isInEffect(front))) await this.#run(front, 'appliance')
      throw error
    }
  }

  async #isInEffect(plan: Plan): Promise<boolean> {
    return isNothingToDo(await previewPlan(applianceSteps(this.#appliance), plan, this.#signal))
  }

  /** Runs a plan for a part. @throws AppError what it failed with */
  async #run(plan: Plan, part: string): Promise<void> {
    const result = await runPlanLocked(this.#runner(), plan, this.#signal)
    this.#operations.push(result)
    if (!this.#decides(part)) this.#superseded.add(result.operation)
    if (result.outcome === 'done') return
    if (result.outcome === 'cancelled') throw cancelled(result.operation)
    const error = result.errors[0]
    if (!error) throw new Error(`${result.operation} ended ${result.outcome} without an error`)
    await this.#fail(part, error, result.steps.find((step) => step.state === 'failed')?.id)
    throw AppError.fromReport(error)
  }

  async #fail(part: string, error: ErrorReport, step?: string): Promise<void> {
    if (error.code === 'CANCELLED') {
      this.#cancelled = true
      return
    }
    if (
      this.#decides(part) &&
      !this.#errors.some((known) => known.code === error.code && known.why === error.why)
    )
      this.#errors.push(error)
    const at = this.#appliance.ports.clock.now().toISOString()
    await this.#change((facts) => ({ failures: replaceFailure(facts.failures, part, error, at, step) }))
  }

  /** Whether what happens to a part, an application or one of the appliance, counts for how this run ends. */
  #decides(part: string): boolean {
    return (this.#only ?? part) === part || !this.#appliance.config.applications[part]
  }

  #change(change: (facts: Facts) => Partial<Facts>): Promise<Facts> {
    return updateFacts(this.#appliance.ports.files, this.#appliance.stateFolder, change)
  }

  #runner() {
    return runnerFor(this.#appliance, applianceSteps(this.#appliance), this.#emit)
  }
}

/** What keeps every application from being started because somebody wants it so, and what ends that. */
export function whyNotStarted(
  { config }: Pick<Appliance, 'config'>,
  { manual }: Pick<Facts, 'manual'>,
): string | undefined {
  if (manual) return `service mode is on (${manual.reason}); "caretaker service off" ends it`
  if (config.standby === false) return undefined
  return 'the config says "standby"; set it to false there, then "caretaker up"'
}

/** The folders that every operation needs, with the rights they need. */
export async function prepareStateFolder(appliance: Appliance): Promise<void> {
  const { files } = appliance.ports
  const { state, run, logs, processes, containers, apps } = appliance.folders
  // Services run as another user and must be able to pass through, not to look.
  await files.makeFolder(state, 0o711)
  await files.makeFolder(run, 0o711)
  await assertOwnFolder(appliance.ports, run)
  await files.makeFolder(logs, 0o711)
  await files.makeFolder(processes, 0o700)
  await files.makeFolder(containers, 0o700)
  await files.makeFolder(apps, 0o700)
}

function cancelled(operation: string): AppError {
  return new AppError('CANCELLED', {
    what: 'The start was cancelled',
    why: 'a person asked for it',
    next: `"caretaker operation resume ${operation}" goes on; so does "caretaker up"`,
  })
}

/** The service page comes first, with the reason; what needs the engine asks it again. */
function unlessEngineAway(error: unknown): void {
  if (!isAppError(error, 'ENGINE_UNREACHABLE')) throw error
}
