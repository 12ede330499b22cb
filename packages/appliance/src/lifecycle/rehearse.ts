import { AppError, type ErrorReport } from '@caretaker/kernel/errors.ts'
import type { ExitCode } from '@caretaker/kernel/exit-codes.ts'
import { MINUTE_MS, SECOND_MS } from '@caretaker/kernel/time.ts'
import type { EmitEvent } from '@caretaker/steps/events.ts'
import { type Preview, previewPlan } from '@caretaker/steps/preview.ts'
import type { OperationResult } from '@caretaker/steps/runner.ts'
import type { Appliance } from './appliance.ts'
import { assertApp } from './apps.ts'
import { runningApp, settle, underLock } from './change-release.ts'
import { exitOfTrial } from './exit-of-trial.ts'
import type { OpenedAppliance } from './open.ts'
import type { RehearsalWish } from './plan-rehearsal.ts'
import { applianceSteps } from './plan-up.ts'
import { planPreparation, prepareUpdate } from './prepare-update.ts'
import { type Rehearsal, readyUntil, rehearsalLogs, settingsOf } from './rehearsals.ts'
import { sayCancelled } from './say-cancelled.ts'
import { updateCommand } from './update-command.ts'
import { updateTarget } from './update-target.ts'

/** How long a rehearsal watches the services of a release that has passed its tests, unless somebody says otherwise. */
export const REHEARSAL_WATCH_MS = 30 * SECOND_MS
/** The same where nobody waits for it. */
export const UNATTENDED_WATCH_MS = 10 * MINUTE_MS

export interface RehearseOptions extends RehearsalWish {
  readonly app: string
  readonly to: string | undefined
}

/** The pair of releases that may be changed without another rehearsal, and until when. */
export interface UpdateReady {
  readonly from: string
  readonly to: string
  readonly until: string
}

/** How a rehearsal ended. */
export interface RehearsalReport {
  /** It runs that release already. */
  readonly nothing_to_do: boolean
  readonly app: string
  /** Versions. */
  readonly from: string
  readonly to: string
  /** Null when it came to no verdict. */
  readonly rehearsal: Rehearsal | null
  readonly update_ready: UpdateReady | null
  /** Folder with what was said; null without a verdict. */
  readonly logs: string | null
  readonly operations: readonly OperationResult[]
  readonly errors: readonly ErrorReport[]
  /** The command that tries it again. */
  readonly again: string
  /** The command that updates to exactly this release. */
  readonly update: string
  readonly exit_code: ExitCode
}

/**
 * Tries an update on a clone: built, migrated, started, tested and watched there. Production is not touched. The verdict
 * is written down and holds for exactly this pair of releases.
 * @throws AppError APP_UNKNOWN, UPDATE_REFUSED, CLONE_NOT_ISOLATED, STORAGE_SPACE, SOURCE_…, LOCKED
 */
export async function rehearseApp(
  { appliance }: OpenedAppliance,
  options: RehearseOptions,
  emit: EmitEvent,
  signal: AbortSignal,
): Promise<RehearsalReport> {
  const { app } = options
  assertApp(appliance, app)
  return underLock(appliance, `rehearse ${app}`, signal, (signal) =>
    rehearseLocked(appliance, options, emit, signal),
  )
}

/** {@link rehearseApp} for a caller that holds the lock. */
export async function rehearseLocked(
  appliance: Appliance,
  { app, to, allowOutside, watchMs }: RehearseOptions,
  emit: EmitEvent,
  signal: AbortSignal,
): Promise<RehearsalReport> {
  const before = await settle(appliance, app, emit, signal)
  const running = await runningApp(appliance, app)
  const target = await updateTarget(appliance, app, to, signal)
  const update = updateCommand(app, running.record, target)
  const again = `caretaker app rehearse ${app}${target.ref === undefined ? '' : ` --to ${target.name}`}`
  const head = { app, from: running.version, to: target.application.version, again, update }
  if (target.releaseId === running.releaseId) {
    const nothing = { rehearsal: null, update_ready: null, logs: null, errors: [], exit_code: 0 } as const
    return { ...head, nothing_to_do: true, operations: before, ...nothing }
  }
  const wish = { kind: 'rehearse', allowOutside, watchMs } as const
  const around = { emit, signal, name: `rehearse-${app}` }
  const { result, rehearsal } = await prepareUpdate(appliance, app, target, wish, around)
  const said = sayCancelled(result.errors, { app, version: running.version, again })
  return {
    ...head,
    nothing_to_do: false,
    rehearsal: rehearsal ?? null,
    update_ready: updateReady(appliance, app, rehearsal),
    logs: rehearsal ? rehearsalLogs(appliance.stateFolder, app, rehearsal.id) : null,
    operations: [...before, result],
    errors: rehearsal ? rehearsalErrors(appliance, app, rehearsal, update, said) : said,
    // What was taken back was a clone: nothing that anybody uses was changed.
    exit_code: exitOfTrial(result, 1),
  }
}

/** Exactly the steps that {@link rehearseApp} would take now; nothing where the release runs already. */
export async function previewRehearsal(
  { appliance }: OpenedAppliance,
  { app, to, allowOutside, watchMs }: RehearseOptions,
  signal: AbortSignal,
): Promise<readonly Preview[]> {
  assertApp(appliance, app)
  return underLock(appliance, `look at a rehearsal of ${app}`, signal, async (signal) => {
    const running = await runningApp(appliance, app)
    const target = await updateTarget(appliance, app, to, signal)
    if (target.releaseId === running.releaseId) return []
    const wish = { kind: 'rehearse', allowOutside, watchMs } as const
    const found = await planPreparation(appliance, app, target, wish, `rehearse-${app}`)
    return [await previewPlan(applianceSteps(found.appliance), found.plan, signal)]
  })
}

/** What a verdict allows. */
function updateReady(
  { ports, config }: Appliance,
  app: string,
  rehearsal: Rehearsal | undefined,
): UpdateReady | null {
  const until = readyUntil(rehearsal, { now: ports.clock.now(), settings: settingsOf(config, app) })
  return rehearsal && until ? { from: rehearsal.from, to: rehearsal.to, until: until.toISOString() } : null
}

/**
 * The errors of a rehearsal, `said` by its operation: first why the release does not come, then what failed on the clone,
 * whose logs are where they are kept. `update`: the command that brings it all the same.
 */
export function rehearsalErrors(
  { stateFolder }: Appliance,
  app: string,
  rehearsal: Rehearsal,
  update: string,
  [first, ...others]: readonly ErrorReport[],
): readonly ErrorReport[] {
  const failure = rehearsalFailure(app, rehearsal, update)
  if (!failure || !first) return first ? [first, ...others] : []
  const next = `Look at what was said on the clone, which is gone: ${rehearsalLogs(stateFolder, app, rehearsal.id)}`
  return [failure.toReport(), { ...first, next }, ...others]
}

/** Why a release with this verdict does not come; undefined for a good one. */
function rehearsalFailure(app: string, rehearsal: Rehearsal, update: string): AppError | undefined {
  const { failed, from_version, to_version } = rehearsal
  if (!failed) return undefined
  return new AppError('REHEARSAL_FAILED', {
    what: `${app} stays at ${from_version}: the rehearsal of ${to_version} failed at "${failed.summary}"`,
    why: `${failed.error.what}: ${failed.error.why}`,
    next: `Correct the release or the data, then repeat the command; "${update} --no-rehearsal "REASON"" goes on all the same`,
  })
}
