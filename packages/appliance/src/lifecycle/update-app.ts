import { AppError, type ErrorReport } from '@caretaker/kernel/errors.ts'
import type { ExitCode } from '@caretaker/kernel/exit-codes.ts'
import type { EmitEvent } from '@caretaker/steps/events.ts'
import type { Plan } from '@caretaker/steps/plan.ts'
import { type Preview, previewPlan } from '@caretaker/steps/preview.ts'
import type { OperationResult } from '@caretaker/steps/runner.ts'
import type { Appliance } from './appliance.ts'
import { assertApp } from './apps.ts'
import {
  type RunningApp,
  reserveCopies,
  reserveFor,
  runChange,
  runningApp,
  settle,
  underLock,
} from './change-release.ts'
import { exitOfTrial } from './exit-of-trial.ts'
import { givenReason } from './given-reason.ts'
import type { OpenedAppliance } from './open.ts'
import { applianceSteps } from './plan-up.ts'
import { type Change, planChange } from './plan-update.ts'
import { type PreparationWish, planPreparation, prepareUpdate } from './prepare-update.ts'
import { type Rehearsal, readRehearsals, readyRehearsal, verdictOn } from './rehearsals.ts'
import { REHEARSAL_WATCH_MS, rehearsalErrors } from './rehearse.ts'
import { instantName } from './release-history.ts'
import { sayCancelled } from './say-cancelled.ts'
import { snapshotBefore } from './steps/update-begin.ts'
import { refuseLeft, updateCommand } from './update-command.ts'
import { type UpdateTarget, updateTarget } from './update-target.ts'

export interface UpdateOptions {
  readonly app: string
  readonly to: string | undefined
  /** Why no rehearsal is wanted; undefined: it is rehearsed, unless that was done lately. */
  readonly noRehearsal: string | undefined
  /** The clone of the rehearsal may reach the outside where the system allows no isolation. */
  readonly allowOutside?: boolean
  /** How long the rehearsal watches the services; default {@link REHEARSAL_WATCH_MS}. */
  readonly watchMs?: number
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
  /** The rehearsal that allowed it, or refused it; null where there was none. */
  readonly rehearsal?: Rehearsal | null
  readonly operations: readonly OperationResult[]
  readonly errors: readonly ErrorReport[]
  /** The command that tries it again. */
  readonly again: string
  readonly exit_code: ExitCode
}

/**
 * Brings an application to another release: fetched, built, asked and rehearsed while the old one serves; then code and
 * data change together or not at all. Ends with 4 when it was taken back, with 5 when that failed too.
 * @throws AppError USAGE, APP_UNKNOWN, UPDATE_REFUSED, STORAGE_SPACE, SOURCE_…, LOCKED: nothing was changed
 */
export async function updateApp(
  { appliance }: OpenedAppliance,
  given: UpdateOptions,
  emit: EmitEvent,
  signal: AbortSignal,
): Promise<ChangeReport> {
  const options = withReason(given)
  const { app } = options
  assertApp(appliance, app)
  return underLock(appliance, `update ${app}`, signal, (signal) =>
    updateLocked(appliance, options, emit, signal),
  )
}

function withReason<Options extends UpdateOptions>(options: Options): Options {
  const { noRehearsal } = options
  return noRehearsal === undefined
    ? options
    : { ...options, noRehearsal: givenReason(noRehearsal, '--no-rehearsal') }
}

/** {@link updateApp} for a caller that holds the lock. */
export async function updateLocked(
  appliance: Appliance,
  options: UpdateOptions,
  emit: EmitEvent,
  signal: AbortSignal,
): Promise<ChangeReport> {
  const { app, noRehearsal } = options
  const before = await settle(appliance, app, emit, signal)
  const running = await runningApp(appliance, app)
  const target = await updateTarget(appliance, app, options.to, signal)
  const again = updateCommand(app, running.record, target)
  const head = { app, from: running.version, to: target.application.version, again }
  if (target.releaseId === running.releaseId) {
    const nothing = { migrates: false, rehearsal: null, errors: [], exit_code: 0 } as const
    return { ...head, nothing_to_do: true, operations: before, ...nothing }
  }
  if (options.to === undefined) refuseLeft(app, running.record, target)
  // It may migrate: that there is no room for that shows before it is built and rehearsed.
  if (target.application.migrate) await reserveCopies(appliance, app)
  const { wish, ready } = await wishFor(appliance, running, target, options)
  const prepared = await prepareUpdate(appliance, app, target, wish, { emit, signal })
  const rehearsal = prepared.rehearsal ?? ready ?? null
  if (prepared.result.outcome !== 'done') {
    // Nothing that anybody uses was touched.
    const exit_code = exitOfTrial(prepared.result, 1)
    const operations = [...before, prepared.result]
    const as = { app, version: running.version, again }
    const said = sayCancelled(prepared.result.errors, as)
    const errors = rehearsal ? rehearsalErrors(appliance, app, rehearsal, again, said) : said
    return { ...head, nothing_to_do: false, migrates: null, rehearsal, operations, errors, exit_code }
  }
  const migrates = prepared.migrates ?? true
  const change = changeTo(appliance, running, target, { migrates, noRehearsal })
  await reserveFor(appliance, change)
  const result = await runChange(appliance, change, emit, signal)
  const { exit_code } = result
  const as = { app, version: running.version, again }
  const errors = result.outcome === 'undone' ? sayCancelled(result.errors, as) : result.errors
  const operations = [...before, prepared.result, result]
  return { ...head, nothing_to_do: false, migrates, rehearsal, operations, errors, exit_code }
}

/** It is rehearsed unless a person does not want that, or a good verdict on this pair of releases is new enough. */
async function wishFor(
  appliance: Appliance,
  running: RunningApp,
  target: UpdateTarget,
  options: UpdateOptions,
): Promise<{ readonly wish: PreparationWish; readonly ready: Rehearsal | undefined }> {
  const pair = { from: running.releaseId, to: target.releaseId }
  const isWanted = options.noRehearsal === undefined
  const ready = isWanted ? await readyRehearsal(appliance, options.app, pair) : undefined
  if (!isWanted || ready) return { wish: { kind: 'ask' }, ready }
  const { allowOutside = false, watchMs = REHEARSAL_WATCH_MS } = options
  return { wish: { kind: 'rehearse', allowOutside, watchMs }, ready }
}

/** What {@link updateApp} would do now. */
export interface UpdatePreview {
  readonly plan: readonly Preview[]
  /** Null where the release was not built. */
  readonly migrates: boolean | null
  /** The newest verdict on this pair of releases, with the time that the migration took; null where there is none. */
  readonly rehearsal: Rehearsal | null
}

/**
 * Exactly the steps that {@link updateApp} would take now. With `build` the release is built and asked, which visitors do
 * not notice; without, it is not known whether it migrates.
 */
export async function previewUpdate(
  { appliance }: OpenedAppliance,
  given: UpdateOptions & { readonly build: boolean },
  emit: EmitEvent,
  signal: AbortSignal,
): Promise<UpdatePreview> {
  const options = withReason(given)
  const { app, noRehearsal } = options
  assertApp(appliance, app)
  const preview = (plan: Plan, known = appliance) => previewPlan(applianceSteps(known), plan, signal)
  return underLock(appliance, `look at an update of ${app}`, signal, async (signal) => {
    const running = await runningApp(appliance, app)
    const target = await updateTarget(appliance, app, options.to, signal)
    if (target.releaseId === running.releaseId) return { plan: [], migrates: false, rehearsal: null }
    if (options.to === undefined) refuseLeft(app, running.record, target)
    const { wish } = await wishFor(appliance, running, target, options)
    const verdicts = await readRehearsals(appliance.ports.files, appliance.stateFolder, app)
    const rehearsal = verdictOn(verdicts, { from: running.releaseId, to: target.releaseId }) ?? null
    const preparation = await planPreparation(appliance, app, target, wish)
    const preparing = await preview(preparation.plan, preparation.appliance)
    if (!options.build) return { plan: [preparing], migrates: null, rehearsal }
    const asked = await prepareUpdate(appliance, app, target, { kind: 'ask' }, { emit, signal })
    const [error] = asked.result.errors
    if (asked.result.outcome !== 'done' && error) throw AppError.fromReport(error)
    const migrates = asked.migrates ?? true
    const change = changeTo(appliance, running, target, { migrates, noRehearsal })
    await reserveFor(appliance, change)
    return { plan: [preparing, await preview(planChange(appliance, change))], migrates, rehearsal }
  })
}

function changeTo(
  appliance: Appliance,
  { record, releaseId, version }: RunningApp,
  target: UpdateTarget,
  { migrates, noRehearsal }: { readonly migrates: boolean; readonly noRehearsal: string | undefined },
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
      ...(noRehearsal === undefined ? {} : { noRehearsal }),
    },
    ...(target.ref === undefined ? {} : { ref: target.ref }),
    again: updateCommand(record.app, record, target),
    data: migrates
      ? { kind: 'migrates', snapshot: snapshotBefore({ id }), failedAs: `failed-${id}` }
      : { kind: 'stays' },
  }
}
