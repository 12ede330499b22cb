import { type AppError, toAppError } from '@caretaker/kernel/errors.ts'
import { type Preview, previewPlan } from '@caretaker/steps/preview.ts'
import { startedApplications } from '../config/clone.ts'
import type { Appliance } from './appliance.ts'
import { unservableBecause } from './check-config.ts'
import { factsOfBefore } from './facts-of-before.ts'
import { applianceSteps, planApp, planBase, planFront } from './plan-up.ts'
import { movedPlans, stopPlans, strayPlans, strayServices } from './stop-apps.ts'
import { assertNoUnfinishedUpdate } from './unfinished-update.ts'
import type { UpOptions } from './up.ts'
import { wantedRelease } from './wanted-release.ts'

/** What `up` would do now, as `runPlan` would take it. Looks only; may fetch sources to know the releases. */
export async function previewUp(
  appliance: Appliance,
  options: UpOptions,
  signal: AbortSignal,
): Promise<readonly Preview[]> {
  const registry = applianceSteps(appliance)
  const facts = await factsOfBefore(appliance)
  const unservable = unservableBecause(appliance.config)
  if (unservable) {
    const front = await previewPlan(registry, planFront(appliance), signal)
    return [{ ...front, steps: [...front.steps, blockedStep('appliance/recover', unservable)] }]
  }
  const base = planBase(appliance, facts, options.firstStart)
  const plans = [
    base,
    ...(await movedPlans(appliance, options.only)),
    ...(options.only === undefined ? await strayPlans(appliance) : []),
  ]
  const idle = appliance.config.standby !== false || facts.manual !== undefined
  if (idle) plans.push(...(await stopPlans(appliance)))
  const previews = await inTurn(plans, (plan) => previewPlan(registry, plan, signal))
  if (idle) return previews
  for (const app of startedApplications(appliance.config)) {
    if ((options.only ?? app) !== app) continue
    previews.push(await previewApp(appliance, app, signal))
  }
  return previews
}

/** What one application would need; what keeps it from starting is a step that is blocked, the others go on. */
async function previewApp(appliance: Appliance, app: string, signal: AbortSignal): Promise<Preview> {
  try {
    await assertNoUnfinishedUpdate(appliance, app)
    const wanted = await wantedRelease(appliance, app, signal)
    const plan = planApp(appliance, wanted, await strayServices(appliance, wanted))
    return await previewPlan(applianceSteps(appliance), plan, signal)
  } catch (error) {
    const reported = toAppError(error)
    if (reported.code === 'CANCELLED') throw reported
    const name = `start-${app}`
    return {
      name,
      purpose: `start ${app}`,
      on_failure: 'stop',
      steps: [blockedStep(`${app}/start`, reported)],
    }
  }
}

function blockedStep(id: string, { what, why, next }: AppError): Preview['steps'][number] {
  return { id, summary: what, way_back: 'not-needed', state: 'blocked', why, next }
}

async function inTurn<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = []
  for (const item of items) results.push(await work(item))
  return results
}
