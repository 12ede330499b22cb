import type { EmitEvent } from '@caretaker/steps/events.ts'
import type { Plan } from '@caretaker/steps/plan.ts'
import { isNothingToDo, previewPlan } from '@caretaker/steps/preview.ts'
import { type OperationResult, runPlanLocked } from '@caretaker/steps/runner.ts'
import { APPLIANCE, parseServiceKey, serviceKey } from '../runtime/runtime.ts'
import { POSTGRES_SERVICE } from './app-database.ts'
import { loadRelease } from './app-release.ts'
import { type Appliance, runnerFor } from './appliance.ts'
import { isMoved } from './missing-services.ts'
import { applianceSteps, planStopApp, type WantedRelease } from './plan-up.ts'

/**
 * Stops the services of all applications. Their Postgres stays up unless `database` is set, so that the person who
 * works on the appliance can reach the data. The caller holds the lock.
 */
export async function stopApps(
  appliance: Appliance,
  emit: EmitEvent,
  signal: AbortSignal,
  options: { readonly database: boolean } = { database: false },
): Promise<readonly OperationResult[]> {
  const results: OperationResult[] = []
  for (const plan of await stopPlans(appliance, options)) {
    const registry = applianceSteps(appliance)
    if (isNothingToDo(await previewPlan(registry, plan, signal))) continue
    results.push(await runPlanLocked(runnerFor(appliance, registry, emit), plan, signal))
  }
  return results
}

/** How {@link stopApps} stops each application. */
export async function stopPlans(
  appliance: Appliance,
  options: { readonly database: boolean } = { database: false },
): Promise<readonly Plan[]> {
  const running = [...(await runningServices(appliance))]
  return running
    .filter(([, services]) => options.database || services.length > 0)
    .map(([app, services]) => planStopApp(appliance, app, services, { ...options, purpose: `stop ${app}` }))
}

/** How applications are stopped that run and are not in the config: somebody took them out of the file. */
export async function strayPlans(appliance: Appliance): Promise<readonly Plan[]> {
  const strays = [...(await runningServices(appliance))].filter(
    ([app]) => !appliance.config.applications[app],
  )
  return strays.map(([app, services]) => {
    const purpose = `stop ${app}, which the config does not name any more`
    return planStopApp(appliance, app, services, { database: true, purpose })
  })
}

/**
 * How applications are stopped of which anything runs as something else than the config says: it was changed meanwhile.
 * Whole: two databases on the same data would end it, and secrets lie differently for processes and containers.
 */
export async function movedPlans(appliance: Appliance, only?: string): Promise<readonly Plan[]> {
  const { runtime, config } = appliance
  const moved = new Set(
    (await runtime.list()).filter((status) => isMoved(appliance, status)).map(({ app }) => app),
  )
  const purpose = (app: string) =>
    `stop ${app}, which runs ${runtime.kind === 'docker' ? 'as processes' : 'in containers'} from before the config said "runtime: ${runtime.kind}"`
  return [...(await runningServices(appliance))]
    .filter(([app]) => moved.has(app) && config.applications[app] && (only ?? app) === app)
    .map(([app, services]) =>
      planStopApp(appliance, app, services, { database: true, purpose: purpose(app) }),
    )
}

/** Services of an application that run and are none of the release it shall run, as `serviceKey`s. */
export async function strayServices(
  appliance: Appliance,
  { app, application, slot }: WantedRelease,
): Promise<readonly string[]> {
  const wanted = new Set(application.services.map((service) => serviceKey(service.name, slot)))
  return ((await runningServices(appliance)).get(app) ?? []).filter((service) => !wanted.has(service))
}

/**
 * What the runtime knows of each application, in start order, as `serviceKey`s; Postgres and the appliance's own parts
 * left out.
 */
export async function runningServices(appliance: Appliance): Promise<ReadonlyMap<string, readonly string[]>> {
  const byApp = new Map<string, string[]>()
  for (const { app, service, slot } of await appliance.runtime.list()) {
    if (app === APPLIANCE) continue
    const known = byApp.get(app) ?? []
    if (service !== POSTGRES_SERVICE) known.push(serviceKey(service, slot))
    byApp.set(app, known)
  }
  for (const [app, services] of byApp) byApp.set(app, await inStartOrder(appliance, app, services))
  return byApp
}

async function inStartOrder(appliance: Appliance, app: string, keys: readonly string[]): Promise<string[]> {
  const statuses = await Promise.all(
    keys.map(parseServiceKey).map(({ service, slot }) => appliance.runtime.status(app, service, slot)),
  )
  const releaseId = statuses.find((status) => status)?.releaseId
  const loaded =
    releaseId === undefined ? undefined : await loadRelease(appliance, app, releaseId).catch(() => undefined)
  const order = loaded?.application.services.map((service) => service.name) ?? []
  const placeOf = (key: string) => order.indexOf(parseServiceKey(key).service)
  return [...keys].sort((a, b) => placeOf(a) - placeOf(b))
}
