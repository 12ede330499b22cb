import type { StepContext } from '@caretaker/steps/step.ts'
import type { Slot } from '../runtime/runtime.ts'
import { POSTGRES_SERVICE, startDatabase } from './app-database.ts'
import { loadRelease } from './app-release.ts'
import type { Appliance } from './appliance.ts'
import { ensurePostgresImage } from './postgres-image.ts'
import { serviceStart } from './steps/service-start.ts'
import { wholeRelease } from './whole-release.ts'

/** A release of an application, and where its services run. */
export type PlacedRelease = {
  readonly app: string
  readonly releaseId: string
  readonly slot: Slot
}

/** The services that the runtime knows in a slot of an application; Postgres is in none. */
export async function servicesIn(
  { runtime }: Appliance,
  { app, slot }: Pick<PlacedRelease, 'app' | 'slot'>,
): Promise<readonly string[]> {
  const known = await runtime.list()
  return known
    .filter((status) => status.app === app && status.slot === slot && status.service !== POSTGRES_SERVICE)
    .map(({ service }) => service)
}

/** Stops every service of a slot, those that depend on others first. */
export async function stopServicesIn(appliance: Appliance, placed: PlacedRelease): Promise<void> {
  const { app, releaseId, slot } = placed
  const loaded = await loadRelease(appliance, app, releaseId).catch(() => undefined)
  const order = loaded?.application.services.map(({ name }) => name) ?? []
  const known = await servicesIn(appliance, placed)
  const last = known.filter((service) => !order.includes(service))
  for (const service of [...order.toReversed(), ...last])
    if (known.includes(service)) await appliance.runtime.stop(app, service, slot)
}

/**
 * Starts what of a release does not run yet, its Postgres first, and waits until each service is healthy. Nothing is
 * started before the release is whole.
 * @throws AppError as {@link wholeRelease}, and what a start can throw
 */
export async function startServicesIn(
  appliance: Appliance,
  { app, releaseId, slot }: PlacedRelease,
  context: StepContext,
): Promise<void> {
  const { application } = await wholeRelease(appliance, { app, releaseId }, context)
  if (application.database) {
    await ensurePostgresImage(appliance, context)
    await startDatabase(appliance, app, context.signal)
  }
  const start = serviceStart(appliance)
  for (const { name: service } of application.services) {
    const input = { app, releaseId, service, slot }
    if ((await start.check(input, context)).state === 'done') continue
    context.progress(`Start ${service}`)
    await start.apply(input, null, context)
  }
}
