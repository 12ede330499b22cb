import { AppError } from '@caretaker/kernel/errors.ts'
import { HOUR_MS, SECOND_MS } from '@caretaker/kernel/time.ts'
import { defineStep } from '@caretaker/steps/step.ts'
import { serviceNamed } from '../../application/application.ts'
import { waitCompleted } from '../../runtime/completion.ts'
import { probeHealth, waitHealthy } from '../../runtime/health.ts'
import { type ServiceSpec, type Slot, serviceKey, specHash } from '../../runtime/runtime.ts'
import { POSTGRES_SERVICE } from '../app-database.ts'
import { readAppRecord, updateAppRecord } from '../app-records.ts'
import { findRelease, type LoadedRelease } from '../app-release.ts'
import { hasSecretFiles, writeSecretFiles } from '../app-secrets.ts'
import type { Appliance } from '../appliance.ts'
import { isAwaitedToComplete } from '../missing-services.ts'
import { ensurePorts, needsPort } from '../service-ports.ts'
import { serviceSpec } from '../service-specs.ts'
import { wholeRelease } from '../whole-release.ts'

type ServiceInput = {
  readonly app: string
  readonly releaseId: string
  readonly service: string
  /** Absent: where the application runs. */
  readonly slot?: Slot
}

/** Starts one service of a release and waits until it is healthy. */
export const serviceStart = (appliance: Appliance) =>
  defineStep<ServiceInput, null>({
    kind: 'service.start',
    describe: ({ app, service, releaseId }) =>
      `Start the service ${service} of ${app} (${releaseId}) and wait until it is healthy`,
    async check({ app, releaseId, service, slot: given }, { signal }) {
      if (await hasCompleted(appliance, app, releaseId, service)) return { state: 'done' }
      const record = await readAppRecord(appliance.ports.files, appliance.folders.apps, app)
      const slot = given ?? record.slot
      const status = await appliance.runtime.status(app, service, slot)
      if (status?.state !== 'running') {
        return { state: 'needed', before: null, because: () => endedAgain(app, service) }
      }
      if (status.releaseId !== releaseId) return { state: 'needed', before: null }
      const loaded = await findRelease(appliance, app, releaseId)
      // Lost while it ran: an earlier step of the plan prepares it again.
      if (!loaded) return { state: 'needed', before: null }
      const named = serviceNamed(loaded.application, service)
      if (needsPort(appliance, named) && record.ports[serviceKey(service, slot)] === undefined)
        return { state: 'needed', before: null }
      const spec = await serviceSpec(appliance, loaded, record, named, slot)
      const isWanted =
        status.specHash === specHash(spec) &&
        (await hasSecretFiles(appliance, loaded.application)) &&
        (await isHealthy(appliance, loaded, spec, signal))
      return isWanted ? { state: 'done' } : { state: 'needed', before: null }
    },
    async apply({ app, releaseId, service, slot: given }, _before, context) {
      const { signal } = context
      const loaded = await wholeRelease(appliance, { app, releaseId }, context)
      const slot = given ?? (await slotOf(appliance, app))
      await writeSecretFiles(appliance, loaded.application)
      await appliance.runtime.stop(app, service, slot)
      const record = await ensurePorts(appliance, loaded.application, slot)
      const named = serviceNamed(loaded.application, service)
      const spec = await serviceSpec(appliance, loaded, record, named, slot)
      await appliance.runtime.start(spec)
      if (isAwaitedToComplete(loaded.application, service)) {
        await waitCompleted(appliance.ports, appliance.runtime, spec, signal)
        const completed = { ...record.completed, [service]: releaseId }
        await updateAppRecord(appliance.ports.files, appliance.folders.apps, app, { completed })
        return
      }
      await waitHealthy(appliance.ports, appliance.runtime, spec, signal)
    },
    undo: async ({ app, service, slot }) =>
      appliance.runtime.stop(app, service, slot ?? (await slotOf(appliance, app))),
    timeoutMs: HOUR_MS,
  })

async function slotOf({ ports, folders }: Appliance, app: string): Promise<Slot> {
  return (await readAppRecord(ports.files, folders.apps, app)).slot
}

function endedAgain(app: string, service: string): AppError {
  return new AppError('SERVICE_START_FAILED', {
    what: `The service ${service} of ${app} was started and does not run`,
    why: 'it was healthy and ended right after that',
    next: `Look at "caretaker logs ${app} ${service}" for why, then "caretaker up"`,
  })
}

/** Whether it does one thing, and has done it for this release. */
async function hasCompleted(
  appliance: Appliance,
  app: string,
  releaseId: string,
  service: string,
): Promise<boolean> {
  const record = await readAppRecord(appliance.ports.files, appliance.folders.apps, app)
  if (record.completed[service] !== releaseId) return false
  const loaded = await findRelease(appliance, app, releaseId)
  return loaded !== undefined && isAwaitedToComplete(loaded.application, service)
}

/** A probe of a check must leave room for the others of its plan, whatever the compose file allows. */
const PROBE_LIMIT_MS = 5 * SECOND_MS

/**
 * Whether a service that runs does its work. One that needs its Postgres is not asked while that is stopped: it is
 * when its turn comes.
 */
async function isHealthy(
  appliance: Appliance,
  { application }: LoadedRelease,
  spec: ServiceSpec,
  signal: AbortSignal,
): Promise<boolean> {
  if (!spec.health) return true
  if (application.database) {
    const postgres = await appliance.runtime.status(spec.app, POSTGRES_SERVICE)
    if (postgres?.state !== 'running') return true
  }
  const timeoutMs = Math.min(spec.health.timeoutMs, PROBE_LIMIT_MS)
  const limited = { ...spec, health: { ...spec.health, timeoutMs } }
  return (await probeHealth(appliance.ports, appliance.runtime, limited, signal)).state === 'healthy'
}
