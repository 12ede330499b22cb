import type { EmitEvent } from '@caretaker/steps/events.ts'
import { createPlan, type Plan, planStep } from '@caretaker/steps/plan.ts'
import { type OperationResult, runPlanLocked } from '@caretaker/steps/runner.ts'
import { type Appliance, runnerFor } from './appliance.ts'
import { applianceSteps } from './plan-up.ts'
import { releasePrepare } from './steps/release-prepare.ts'
import type { UpdateTarget } from './update-target.ts'

/** Everything that happens while the old release serves; a failure changes nothing. */
export function planPrepare(
  appliance: Appliance,
  app: string,
  target: UpdateTarget,
  _options: unknown,
): Plan {
  const { releaseId, pinned, application } = target
  return createPlan({
    name: `prepare-${app}`,
    purpose: `prepare ${app} ${application.version}`,
    onFailure: 'undo',
    onInterruption: 'go-back',
    steps: [planStep(releasePrepare(appliance), { app, releaseId, pinned: pinned as never }, app)],
  })
}

/** Takes {@link planPrepare}, and gives whether the release migrates. The caller holds the lock. */
export async function prepareUpdate(
  appliance: Appliance,
  app: string,
  target: UpdateTarget,
  options: unknown,
  { emit, signal }: { readonly emit: EmitEvent; readonly signal: AbortSignal },
): Promise<{ readonly result: OperationResult; readonly migrates: boolean }> {
  const runner = runnerFor(appliance, applianceSteps(appliance), emit)
  const result = await runPlanLocked(runner, planPrepare(appliance, app, target, options), signal)
  return { result, migrates: target.application.migrate !== undefined }
}
