import { AppError, isAppError } from '@caretaker/kernel/errors.ts'
import { HOUR_MS } from '@caretaker/kernel/time.ts'
import type { EmitEvent } from '@caretaker/steps/events.ts'
import { createPlan, type Plan, type PlannedStep, planStep } from '@caretaker/steps/plan.ts'
import { type OperationResult, runPlanLocked } from '@caretaker/steps/runner.ts'
import { withClones } from '../config/clone.ts'
import { type Asked, readAppRecord } from './app-records.ts'
import { type Appliance, runnerFor } from './appliance.ts'
import { listClones } from './clone-records.ts'
import { cloneInput } from './clones.ts'
import { assertIsolation } from './isolation.ts'
import { withGuests } from './lock-guests.ts'
import { type RehearsalWish, rehearsalSteps } from './plan-rehearsal.ts'
import { applianceSteps } from './plan-up.ts'
import { recordRehearsal, rehearsalId, saying } from './record-rehearsal.ts'
import type { Rehearsal } from './rehearsals.ts'
import { cloneCreate, recordOf } from './steps/clone-create.ts'
import { cloneRemove } from './steps/clone-remove.ts'
import { releaseAsk } from './steps/release-ask.ts'
import { releasePrepare } from './steps/release-prepare.ts'
import { updateCommand } from './update-command.ts'
import type { UpdateTarget } from './update-target.ts'

/** What is to be known of a release before it may come: whether it migrates, or all that a rehearsal shows. */
export type PreparationWish = { readonly kind: 'ask' } | ({ readonly kind: 'rehearse' } & RehearsalWish)

/** What happens while the old release serves. To preview it: `appliance` knows the clone already. */
export interface Preparation {
  readonly appliance: Appliance
  readonly plan: Plan
  /** Set when it rehearses. */
  readonly rehearsal?: { readonly id: string; readonly isolated: boolean; readonly watchMs: number }
}

/** The longest life of a clone that is only asked something or rehearses, in case nobody removes it. */
const SHORT_TTL_MS = 12 * HOUR_MS

/**
 * Everything that comes before the old release is touched; a failure changes nothing. Whether the release migrates is
 * asked of itself on a copy of the data as it is now, never guessed and never remembered.
 * @throws AppError STORAGE_SPACE; CLONE_NOT_ISOLATED when a rehearsal could reach the outside and nobody allowed that
 */
export async function planPreparation(
  appliance: Appliance,
  app: string,
  target: UpdateTarget,
  wish: PreparationWish,
  name = `prepare-${app}`,
): Promise<Preparation> {
  const { releaseId, pinned, application } = target
  const fetched = planStep(releasePrepare(appliance), { app, releaseId, pinned: pinned as never }, app)
  const verb = name === `prepare-${app}` ? 'prepare' : 'rehearse'
  const plan = (steps: readonly PlannedStep[]) =>
    createPlan({
      name,
      purpose: `${verb} ${app} ${application.version}`,
      onFailure: 'undo',
      onInterruption: 'go-back',
      steps: [fetched, ...steps],
    })
  const isAsking = wish.kind === 'ask'
  if (isAsking && !application.migrate) return { appliance, plan: plan([]) }
  const { ports, stateFolder } = appliance
  const wanted = { app, name: undefined, ttlMs: SHORT_TTL_MS, allowOutside: false }
  const input = await cloneInput(appliance, wanted, isAsking ? 'ask' : 'rehearsal')
  const { clone } = input
  const allowOutside = await mayReachOutside(appliance, { app, clone, target }, wish)
  const made = { ...input, allowOutside }
  await appliance.storage.reserve(await appliance.storage.copyBytes(app))
  const clones = await listClones(ports.files, stateFolder)
  const record = recordOf(made, ports.clock.now().toISOString())
  const imagined = { ...appliance, config: withClones(appliance.config, [...clones, record]) }
  if (isAsking) {
    const steps = [
      planStep(cloneCreate(imagined), made, clone),
      planStep(releaseAsk(imagined), { app, clone, releaseId }, clone),
      planStep(cloneRemove(imagined), { clone }, clone),
    ]
    return { appliance: imagined, plan: plan(steps) }
  }
  const id = await rehearsalId(appliance, app)
  const rehearsal = { id, isolated: !allowOutside, watchMs: wish.watchMs }
  return {
    appliance: imagined,
    plan: plan(rehearsalSteps(imagined, target, wish, { input: made, id })),
    rehearsal,
  }
}

/**
 * A check runs on production next: its clone is kept apart where this machine can. A rehearsal starts services with
 * real data, which could do harm outside.
 */
async function mayReachOutside(
  appliance: Appliance,
  { app, clone, target }: { readonly app: string; readonly clone: string; readonly target: UpdateTarget },
  wish: PreparationWish,
): Promise<boolean> {
  const isAllowed = wish.kind === 'ask' || wish.allowOutside
  try {
    await assertIsolation(appliance, clone, false)
    return false
  } catch (error) {
    if (!isAppError(error, 'CLONE_NOT_ISOLATED')) throw error
    if (isAllowed) return true
    const record = await readAppRecord(appliance.ports.files, appliance.folders.apps, app)
    throw notRehearsed(app, updateCommand(app, record, target), error)
  }
}

function notRehearsed(app: string, update: string, { why, cause }: AppError): AppError {
  return new AppError('CLONE_NOT_ISOLATED', {
    what: `${app} was not rehearsed, and not updated`,
    why,
    next: `Run caretaker as root, or allow namespaces to ordinary users; if ${app} does no harm outside with real data, repeat the command with --allow-outside; "${update} --no-rehearsal "REASON"" goes on without`,
    cause,
  })
}

export interface Prepared {
  readonly result: OperationResult
  /** Whether the release migrates; null when nobody could ask it. */
  readonly migrates: boolean | null
  /** The verdict, when it was rehearsed and came to one. */
  readonly rehearsal: Rehearsal | undefined
}

/**
 * Takes {@link planPreparation}. The caller holds the lock; services of this appliance are looked after meanwhile.
 */
export async function prepareUpdate(
  appliance: Appliance,
  app: string,
  target: UpdateTarget,
  wish: PreparationWish,
  { emit, signal, name }: { readonly emit: EmitEvent; readonly signal: AbortSignal; readonly name?: string },
): Promise<Prepared> {
  const { plan, rehearsal: wanted } = await planPreparation(appliance, app, target, wish, name)
  const said = saying(emit)
  // The appliance comes to know the clone when it is made.
  const runner = runnerFor(appliance, applianceSteps(appliance), said.emit)
  const earlier = await askedOf(appliance, app)
  const result = await withGuests(appliance.stateFolder, () => runPlanLocked(runner, plan, signal))
  const asked = await askedOf(appliance, app)
  const isAsked = asked !== undefined && asked.cloned !== earlier?.cloned
  const migrates = target.application.migrate ? (isAsked ? asked.migrates : null) : false
  const rehearsal =
    wanted && (await recordRehearsal(appliance, app, target, { ...wanted, migrates, result, said }))
  return { result, migrates, rehearsal }
}

async function askedOf({ ports, folders }: Appliance, app: string): Promise<Asked | undefined> {
  return (await readAppRecord(ports.files, folders.apps, app)).asked
}
