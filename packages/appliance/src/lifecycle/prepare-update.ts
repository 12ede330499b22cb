import { HOUR_MS } from '@caretaker/kernel/time.ts'
import type { EmitEvent } from '@caretaker/steps/events.ts'
import { createPlan, type Plan, type PlannedStep, planStep } from '@caretaker/steps/plan.ts'
import { type OperationResult, runPlanLocked } from '@caretaker/steps/runner.ts'
import { withClones } from '../config/clone.ts'
import { readAppRecord } from './app-records.ts'
import { type Appliance, runnerFor } from './appliance.ts'
import { listClones } from './clone-records.ts'
import { cloneInput } from './clones.ts'
import { assertIsolation } from './isolation.ts'
import { applianceSteps } from './plan-up.ts'
import { cloneCreate, recordOf } from './steps/clone-create.ts'
import { cloneRemove } from './steps/clone-remove.ts'
import { releaseAsk } from './steps/release-ask.ts'
import { releasePrepare } from './steps/release-prepare.ts'
import type { UpdateTarget } from './update-target.ts'

/** What happens while the old release serves. To preview it: `appliance` knows the clone already. */
export interface Preparation {
  readonly appliance: Appliance
  readonly plan: Plan
}

/** The longest life of a clone that is only asked something, in case nobody removes it. */
const ASK_TTL_MS = 12 * HOUR_MS

/**
 * Everything that comes before the old release is touched; a failure changes nothing. Whether the release migrates is
 * asked of itself on a copy of the data, never guessed.
 */
export async function planPreparation(
  appliance: Appliance,
  app: string,
  target: UpdateTarget,
): Promise<Preparation> {
  const { releaseId, pinned, application } = target
  const fetched = planStep(releasePrepare(appliance), { app, releaseId, pinned: pinned as never }, app)
  const plan = (steps: readonly PlannedStep[]) =>
    createPlan({
      name: `prepare-${app}`,
      purpose: `prepare ${app} ${application.version}`,
      onFailure: 'undo',
      onInterruption: 'go-back',
      steps: [fetched, ...steps],
    })
  if (!application.migrate || (await isAnswered(appliance, app, releaseId)))
    return { appliance, plan: plan([]) }
  const { ports, stateFolder } = appliance
  const wanted = { app, name: undefined, ttlMs: ASK_TTL_MS, allowOutside: false }
  const input = await cloneInput(appliance, wanted, 'ask')
  // Its check runs on production next; it is kept apart where this machine can.
  const allowOutside = await assertIsolation(appliance, input.clone, false).then(
    () => false,
    () => true,
  )
  const asked = { ...input, allowOutside }
  await appliance.storage.reserve(await appliance.storage.copyBytes(app))
  const clones = await listClones(ports.files, stateFolder)
  const record = recordOf(asked, ports.clock.now().toISOString())
  const imagined = { ...appliance, config: withClones(appliance.config, [...clones, record]) }
  const { clone } = input
  return {
    appliance: imagined,
    plan: plan([
      planStep(cloneCreate(imagined), asked, clone),
      planStep(releaseAsk(imagined), { app, clone, releaseId }, clone),
      planStep(cloneRemove(imagined), { clone }, clone),
    ]),
  }
}

/** Whether this release has said, of data that the release that runs has left, whether it migrates. */
async function isAnswered({ ports, folders }: Appliance, app: string, releaseId: string): Promise<boolean> {
  const { asked, releaseId: from } = await readAppRecord(ports.files, folders.apps, app)
  return asked?.releaseId === releaseId && asked.from === from
}

/** Takes {@link planPreparation}, and gives whether the release migrates. The caller holds the lock. */
export async function prepareUpdate(
  appliance: Appliance,
  app: string,
  target: UpdateTarget,
  { emit, signal }: { readonly emit: EmitEvent; readonly signal: AbortSignal },
): Promise<{ readonly result: OperationResult; readonly migrates: boolean }> {
  const { plan } = await planPreparation(appliance, app, target)
  // The appliance comes to know the clone when it is made.
  const runner = runnerFor(appliance, applianceSteps(appliance), emit)
  const result = await runPlanLocked(runner, plan, signal)
  const { asked } = await readAppRecord(appliance.ports.files, appliance.folders.apps, app)
  const migrates = target.application.migrate !== undefined && asked?.migrates !== false
  return { result, migrates }
}
