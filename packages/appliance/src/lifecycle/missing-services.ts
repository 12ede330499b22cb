import type { Application } from '../application/application.ts'
import { startedApplications } from '../config/clone.ts'
import { APPLIANCE, type ServiceStatus, serviceKey } from '../runtime/runtime.ts'
import { POSTGRES_SERVICE } from './app-database.ts'
import { type AppRecord, readAppRecord } from './app-records.ts'
import { findRelease } from './app-release.ts'
import type { Appliance } from './appliance.ts'
import type { Facts } from './facts.ts'
import { serviceLog } from './folders.ts'

/** Gives what a release says of an application; undefined when it is not there or cannot be read. */
export type ReadApplication = (app: string, releaseId: string) => Promise<Application | undefined>

/** Reads each release once: what it says never changes. */
export function readingOnce(): (appliance: Appliance) => ReadApplication {
  const read = new Map<string, Application>()
  return (appliance) => async (app, releaseId) => {
    const key = `${app}/${releaseId}`
    const known =
      read.get(key) ?? (await findRelease(appliance, app, releaseId).catch(() => undefined))?.application
    if (known) read.set(key, known)
    return known
  }
}

/**
 * Services that should run and of which the runtime, that knows `known`, knows nothing: a command broke off between their
 * stop and their start, or somebody has removed their containers. What a person or a failed migration keeps from running,
 * and an application that still runs as something else than the config says, is left out.
 */
export async function missingServices(
  appliance: Appliance,
  facts: Facts,
  known: readonly ServiceStatus[],
  read: ReadApplication,
): Promise<readonly ServiceStatus[]> {
  const { config, runtime } = appliance
  if (facts.wanted === 'down' || facts.failures.appliance || facts.manual || config.standby !== false)
    return []
  const missing: ServiceStatus[] = []
  for (const app of startedApplications(config)) {
    const there = known.filter((status) => status.app === app)
    if (there.some((status) => isMoved(appliance, status))) continue
    if (facts.failures[app]?.step?.endsWith(AFTER_A_MIGRATION) === true) continue
    const record = await readAppRecord(appliance.ports.files, appliance.folders.apps, app).catch(
      () => undefined,
    )
    if (!record || record.stopped || record.updating || record.releaseId === undefined) continue
    const application = await read(app, record.releaseId)
    if (!application) continue
    const keys = new Set(there.map(({ service, slot }) => serviceKey(service, slot)))
    for (const [service, slot] of wantedServices(application, record)) {
      if (keys.has(serviceKey(service, slot))) continue
      const unknown = { pid: 0, startedAt: '', specHash: '', state: 'ended' } as const
      const logFile = serviceLog(appliance.folders, app, service)
      const { releaseId } = record
      missing.push({ runtime: runtime.kind, app, service, slot, releaseId, logFile, ...unknown })
    }
  }
  return missing
}

/** Whether a service runs as something else than the config says by now; `up` stops it first. */
export function isMoved({ runtime }: Pick<Appliance, 'runtime'>, status: ServiceStatus): boolean {
  return status.app !== APPLIANCE && status.runtime !== runtime.kind
}

/** Services of the application must not run on data that its migration has left half-way. */
const AFTER_A_MIGRATION = '/app.migrate'

export function wantedServices(
  application: Application,
  { slot, databaseCreated }: AppRecord,
): readonly (readonly [string, AppRecord['slot']])[] {
  const database = application.database && databaseCreated ? ([[POSTGRES_SERVICE, 'a']] as const) : []
  const services = application.services
    .filter(({ name, restart }) => restart !== 'no' && !isAwaitedToComplete(application, name))
    .map(({ name }) => [name, slot] as const)
  return [...database, ...services]
}

/** Whether others wait for its end: it does one thing before them, and is not started again. */
export function isAwaitedToComplete(application: Application, service: string): boolean {
  return application.services.some(({ dependsOn }) =>
    dependsOn.some((other) => other.service === service && other.condition === COMPLETED),
  )
}

const COMPLETED = 'service_completed_successfully'
