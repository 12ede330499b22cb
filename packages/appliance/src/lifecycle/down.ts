import type { EmitEvent } from '@caretaker/steps/events.ts'
import { withOperationLock } from '@caretaker/steps/operation-lock.ts'
import { isNothingToDo, type Preview, previewPlan } from '@caretaker/steps/preview.ts'
import { type OperationResult, runPlanLocked } from '@caretaker/steps/runner.ts'
import { type Appliance, runnerFor } from './appliance.ts'
import { type Facts, updateFacts } from './facts.ts'
import { applianceSteps, planStopApp, planStopGateway } from './plan-up.ts'
import { runningServices, stopApps } from './stop-apps.ts'
import type { UpReport } from './up.ts'

/**
 * Stops applications, their Postgres and the gateway. With `remember` the appliance stays stopped until `up`, over
 * restarts too; without, it is the daemon that ends and will start everything again.
 * @throws AppError LOCKED
 */
export async function down(
  appliance: Appliance,
  options: { readonly remember: boolean },
  emit: EmitEvent,
  signal: AbortSignal,
): Promise<UpReport> {
  const { ports, stateFolder, actor, pid } = appliance
  // What cannot be remembered is stopped all the same.
  const note = (change: Partial<Facts>) =>
    updateFacts(ports.files, stateFolder, () => change).catch(() => undefined)
  return withOperationLock(ports, stateFolder, { actor, purpose: 'stop the appliance', pid }, async () => {
    const since = ports.clock.now().toISOString()
    const activity = { kind: 'stopping', since, serving: false } as const
    if (options.remember) await updateFacts(ports.files, stateFolder, () => ({ wanted: 'down', activity }))
    else await note({ activity })
    const results: OperationResult[] = [...(await stopApps(appliance, emit, signal, { database: true }))]
    const registry = applianceSteps(appliance)
    const plan = planStopGateway(appliance)
    if (!isNothingToDo(await previewPlan(registry, plan, signal))) {
      results.push(await runPlanLocked(runnerFor(appliance, registry, emit), plan, signal))
    }
    // A command of a caller that died, or a start that was never recorded.
    await appliance.runtime.endLeftovers()
    if (results.every((result) => result.outcome === 'done'))
      await ports.files.remove(appliance.folders.secrets)
    const failed = results.find((result) => result.outcome !== 'done')
    await note({
      activity: undefined,
      ...(options.remember || failed ? {} : { daemonEnded: ports.clock.now().toISOString() }),
    })
    return {
      nothing_to_do: results.length === 0,
      operations: results,
      errors: results.flatMap((result) => result.errors),
      warnings: [],
      not_started: null,
      exit_code: failed?.exit_code ?? 0,
    }
  })
}

/** What {@link down} would do now. */
export async function previewDown(appliance: Appliance, signal: AbortSignal): Promise<readonly Preview[]> {
  const registry = applianceSteps(appliance)
  const plans = [...(await runningServices(appliance))].map(([app, services]) =>
    planStopApp(appliance, app, services, { database: true, purpose: `stop ${app}` }),
  )
  return Promise.all(
    [...plans, planStopGateway(appliance)].map((plan) => previewPlan(registry, plan, signal)),
  )
}
