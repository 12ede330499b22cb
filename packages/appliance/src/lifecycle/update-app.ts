import { AppError, type ErrorReport } from '@caretaker/kernel/errors.ts'
import type { ExitCode } from '@caretaker/kernel/exit-codes.ts'
import type { EmitEvent } from '@caretaker/steps/events.ts'
import type { Plan } from '@caretaker/steps/plan.ts'
import { type Preview, previewPlan } from '@caretaker/steps/preview.ts'
import type { OperationResult } from '@caretaker/steps/runner.ts'
import type { Appliance } from './appliance.ts'
import { assertApp } from './apps.ts'
import { type RunningApp, reserveFor, runChange, runningApp, settle, underLock } from './change-release.ts'
import type { OpenedAppliance } from './open.ts'
import { applianceSteps } from './plan-up.ts'
import { type Change, planChange } from './plan-update.ts'
import { planPreparation, prepareUpdate } from './prepare-update.ts'
import { instantName } from './release-history.ts'
import { snapshotBefore } from './steps/update-begin.ts'
import { type UpdateTarget, updateTarget } from './update-target.ts'

export interface UpdateOptions {
  readonly app: string
  readonly to: string | undefined
  /** Why no rehearsal is wanted; undefined: it is rehearsed. */
  readonly noRehearsal: string | undefined
}

/** How a change of the release of an application ended. */
export interface ChangeReport {
  readonly nothing_to_do: boolean
  readonly app: string
  /** Versions. */
  readonly from: string
  readonly to: string
  /** Whether data was migrated; null where it was not asked. */
  readonly migrates: boolean | null
  readonly operations: readonly OperationResult[]
  readonly errors: readonly ErrorReport[]
  readonly exit_code: ExitCode
}

/**
 * Brings an application to another release: fetched, built, asked and rehearsed while the old one serves; then code and
 * data change together or not at all. Ends with 4 when it was taken back, with 5 when that failed too.
 * @throws AppError APP_UNKNOWN, UPDATE_REFUSED, STORAGE_SPACE, SOURCE_…, LOCKED: nothing was changed
 */
export async function updateApp(
  { appliance }: OpenedAppliance,
  options: UpdateOptions,
  emit: EmitEvent,
  signal: AbortSignal,
): Promise<ChangeReport> {
  const { app } = options
  assertApp(appliance, app)
  return underLock(appliance, `update ${app}`, async () => {
    const before = await settle(appliance, app, emit, signal)
    const running = await runningApp(appliance, app)
    const target = await updateTarget(appliance, app, options.to, signal)
    const head = { app, from: running.version, to: target.application.version }
    if (target.releaseId === running.releaseId) {
      return { ...head, nothing_to_do: true, migrates: false, operations: before, errors: [], exit_code: 0 }
    }
    const { result: prepared, migrates } = await prepareUpdate(appliance, app, target, { emit, signal })
    if (prepared.outcome !== 'done') {
      // Nothing that anybody uses was touched.
      const exit_code = prepared.exit_code === 4 ? 1 : prepared.exit_code
      const operations = [...before, prepared]
      return { ...head, nothing_to_do: false, migrates: null, operations, errors: prepared.errors, exit_code }
    }
    const change = changeTo(appliance, running, target, migrates)
    await reserveFor(appliance, change)
    const result = await runChange(appliance, change, emit, signal)
    const { errors, exit_code } = result
    return {
      ...head,
      nothing_to_do: false,
      migrates,
      operations: [...before, prepared, result],
      errors,
      exit_code,
    }
  })
}

/**
 * Exactly the steps that {@link updateApp} would take now. With `build` the release is built and asked, which visitors do
 * not notice; without, it is not known whether it migrates.
 */
export async function previewUpdate(
  { appliance }: OpenedAppliance,
  options: UpdateOptions & { readonly build: boolean },
  emit: EmitEvent,
  signal: AbortSignal,
): Promise<{ readonly plan: readonly Preview[]; readonly migrates: boolean | null }> {
  const { app } = options
  assertApp(appliance, app)
  const preview = (plan: Plan, known = appliance) => previewPlan(applianceSteps(known), plan, signal)
  return underLock(appliance, `look at an update of ${app}`, async () => {
    const running = await runningApp(appliance, app)
    const target = await updateTarget(appliance, app, options.to, signal)
    if (target.releaseId === running.releaseId) return { plan: [], migrates: false }
    const preparation = await planPreparation(appliance, app, target)
    const preparing = await preview(preparation.plan, preparation.appliance)
    if (!options.build) return { plan: [preparing], migrates: null }
    const { result, migrates } = await prepareUpdate(appliance, app, target, { emit, signal })
    const [error] = result.errors
    if (result.outcome !== 'done' && error) throw AppError.fromReport(error)
    const change = changeTo(appliance, running, target, migrates)
    await reserveFor(appliance, change)
    return { plan: [preparing, await preview(planChange(appliance, change))], migrates }
  })
}

function changeTo(
  appliance: Appliance,
  { record, releaseId, version }: RunningApp,
  target: UpdateTarget,
  migrates: boolean,
): Change {
  const now = appliance.ports.clock.now()
  const id = instantName(now)
  const { application } = target
  return {
    app: record.app,
    application,
    slots: { from: record.slot, to: record.slot === 'a' ? 'b' : 'a' },
    updating: {
      id,
      kind: 'update',
      from: releaseId,
      to: target.releaseId,
      fromVersion: version,
      toVersion: application.version,
      since: now.toISOString(),
    },
    ...(target.ref === undefined ? {} : { ref: target.ref }),
    data: migrates
      ? { kind: 'migrates', snapshot: snapshotBefore({ id }), failedAs: `failed-${id}` }
      : { kind: 'stays' },
  }
}
