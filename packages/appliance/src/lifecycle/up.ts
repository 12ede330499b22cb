import { AppError, type ErrorReport, toAppError } from '@caretaker/kernel/errors.ts'
import type { ExitCode } from '@caretaker/kernel/exit-codes.ts'
import type { EmitEvent } from '@caretaker/steps/events.ts'
import { withOperationLock } from '@caretaker/steps/operation-lock.ts'
import { resumeInterrupted } from '@caretaker/steps/operations.ts'
import type { Plan } from '@caretaker/steps/plan.ts'
import { isNothingToDo, type Preview, previewPlan } from '@caretaker/steps/preview.ts'
import { type OperationResult, runPlanLocked } from '@caretaker/steps/runner.ts'
import { type Appliance, openAppliance, runnerFor } from './appliance.ts'
import { assertServable } from './check-config.ts'
import { addFailure, clearFailure, type Facts, readFacts, updateFacts } from './facts.ts'
import { applianceSteps, planApp, planBase } from './plan-up.ts'
import { isGatewayCurrent, refreshGateway } from './refresh-gateway.ts'
import { stopApps } from './stop-apps.ts'
import { wantedRelease } from './wanted-release.ts'

export interface UpOptions {
  /** An empty data volume is a beginning although this appliance was started before. */
  readonly firstStart: boolean
}

/** What `up` did. `nothing_to_do`: everything was as the config says. */
export interface UpReport {
  readonly nothing_to_do: boolean
  readonly operations: readonly OperationResult[]
  readonly errors: readonly ErrorReport[]
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
  const work = new UpWork(appliance, emit, signal)
  try {
    await work.resume()
    if (!(await work.base(options))) return await work.report()
    if (appliance.config.standby !== false || (await work.facts()).manual) {
      await work.onlyServicePage()
      return await work.report()
    }
    await work.apps()
    return await work.report()
  } finally {
    await work.end()
  }
}

/** What `up` would do now, as `runPlan` would take it. Looks only; may fetch sources to know the releases. */
export async function previewUp(
  appliance: Appliance,
  options: UpOptions,
  signal: AbortSignal,
): Promise<readonly Preview[]> {
  const registry = applianceSteps(appliance)
  const facts = await readFacts(appliance.ports.files, appliance.stateFolder)
  const base = planBase(appliance, facts, options.firstStart)
  const previews = [await previewPlan(registry, base, signal)]
  if (appliance.config.standby !== false || facts.manual) return previews
  for (const app of Object.keys(appliance.config.applications)) {
    const wanted = await wantedRelease(appliance, app, signal)
    previews.push(await previewPlan(registry, planApp(appliance, wanted), signal))
  }
  return previews
}

/** One run of `up`. */
class UpWork {
  #appliance: Appliance
  readonly #emit: EmitEvent
  readonly #signal: AbortSignal
  readonly #operations: OperationResult[] = []
  readonly #errors: ErrorReport[] = []
  #cancelled = false

  constructor(appliance: Appliance, emit: EmitEvent, signal: AbortSignal) {
    this.#appliance = appliance
    this.#emit = emit
    this.#signal = signal
  }

  facts(): Promise<Facts> {
    return readFacts(this.#appliance.ports.files, this.#appliance.stateFolder)
  }

  /** What a crash interrupted is finished first. */
  async resume(): Promise<void> {
    await this.#change(() => ({ wanted: 'up' }))
    // A command of a caller that died must not go on beside what is done now.
    await this.#appliance.runtime.endLeftovers()
    const results = await resumeInterrupted(this.#runner(), this.#signal)
    this.#operations.push(...results)
  }

  /** Gateway, certificates, storage. False when nothing more can be started. */
  async base(options: UpOptions): Promise<boolean> {
    const appliance = this.#appliance
    const plan = planBase(appliance, await this.facts(), options.firstStart)
    try {
      assertServable(appliance.config)
      if (!isNothingToDo(await previewPlan(applianceSteps(appliance), plan, this.#signal))) {
        await this.#begin(false)
        const failed = await this.#run(plan)
        if (failed) throw AppError.fromReport(failed)
      }
    } catch (error) {
      await this.#fail('appliance', toAppError(error).toReport())
      return false
    }
    await this.#change((facts) => ({ failures: clearFailure(facts.failures, 'appliance') }))
    // The service user may have been created just now.
    this.#appliance = await openAppliance(appliance, appliance.config, appliance.configFile)
    return true
  }

  async apps(): Promise<void> {
    for (const app of Object.keys(this.#appliance.config.applications)) {
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

  async onlyServicePage(): Promise<void> {
    this.#operations.push(...(await stopApps(this.#appliance, this.#emit, this.#signal)))
  }

  async report(): Promise<UpReport> {
    const failed = this.#operations.filter((result) => result.outcome !== 'done')
    const codes: ExitCode[] = [
      ...failed.map((result) => result.exit_code),
      ...this.#errors.map((error) => error.exit_code),
    ]
    return {
      nothing_to_do: this.#operations.length === 0 && this.#errors.length === 0 && !this.#cancelled,
      operations: this.#operations,
      errors: this.#errors,
      exit_code: codes.includes(5) ? 5 : (codes[0] ?? (this.#cancelled ? 130 : 0)),
    }
  }

  /** The state is no longer "starting", and the gateway shows what is. */
  async end(): Promise<void> {
    await this.#change(() => ({ activity: undefined }))
    if (!(await isGatewayCurrent(this.#appliance)))
      await refreshGateway(this.#appliance).catch(() => undefined)
  }

  async #app(app: string): Promise<void> {
    const wanted = await wantedRelease(this.#appliance, app, this.#signal)
    const plan = planApp(this.#appliance, wanted)
    const preview = await previewPlan(applianceSteps(this.#appliance), plan, this.#signal)
    const blocked = preview.steps.find((step) => step.state === 'blocked')
    if (blocked) {
      const { summary, why = '', next = '' } = blocked
      throw new AppError('STEP_BLOCKED', { what: `"${summary}" cannot be done`, why, next })
    }
    if (!isNothingToDo(preview)) {
      await this.#begin(true)
      const failed = await this.#run(plan)
      if (failed) throw AppError.fromReport(failed)
    }
    await this.#change((facts) => ({ failures: clearFailure(facts.failures, app) }))
  }

  async #begin(serving: boolean): Promise<void> {
    const since = this.#appliance.ports.clock.now().toISOString()
    const before = (await this.facts()).activity
    if (before?.kind === 'starting' && before.serving === serving) return
    await this.#change(() => ({ activity: { kind: 'starting', since: before?.since ?? since, serving } }))
    if (serving) await refreshGateway(this.#appliance).catch(() => undefined)
  }

  /** Runs a plan; gives the error it failed with. */
  async #run(plan: Plan): Promise<ErrorReport | undefined> {
    const result = await runPlanLocked(this.#runner(), plan, this.#signal)
    this.#operations.push(result)
    if (result.outcome === 'done') return undefined
    if (result.outcome === 'cancelled') throw cancelled(result.operation)
    return result.errors[0]
  }

  async #fail(part: string, error: ErrorReport): Promise<void> {
    if (error.code === 'CANCELLED') {
      this.#cancelled = true
      return
    }
    if (!this.#errors.some((known) => known.code === error.code && known.why === error.why))
      this.#errors.push(error)
    const at = this.#appliance.ports.clock.now().toISOString()
    await this.#change((facts) => ({ failures: addFailure(facts.failures, part, error, at) }))
  }

  #change(change: (facts: Facts) => Partial<Facts>): Promise<Facts> {
    return updateFacts(this.#appliance.ports.files, this.#appliance.stateFolder, change)
  }

  #runner() {
    return runnerFor(this.#appliance, applianceSteps(this.#appliance), this.#emit)
  }
}

/** The folders that every operation needs, with the rights they need. */
export async function prepareStateFolder(appliance: Appliance): Promise<void> {
  const { files } = appliance.ports
  const { state, run, logs, processes, apps } = appliance.folders
  // Services run as another user and must be able to pass through, not to look.
  await files.makeFolder(state, 0o711)
  await files.makeFolder(run, 0o711)
  await files.makeFolder(logs, 0o711)
  await files.makeFolder(processes, 0o700)
  await files.makeFolder(apps, 0o700)
}

function cancelled(operation: string): AppError {
  return new AppError('CANCELLED', {
    what: 'The start was cancelled',
    why: 'a person asked for it',
    next: `"caretaker operation resume ${operation}" goes on; so does "caretaker up"`,
  })
}
