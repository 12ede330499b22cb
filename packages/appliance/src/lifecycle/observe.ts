import { findLockHolder } from '@caretaker/steps/operation-lock.ts'
import { type AppRecord, readAppRecord } from './app-records.ts'
import { findRelease, type LoadedRelease } from './app-release.ts'
import type { Appliance } from './appliance.ts'
import { type ApplianceState, deriveState, type PartProblem } from './appliance-state.ts'
import { readFacts } from './facts.ts'
import type { RoutedApp } from './routes.ts'

export interface ObservedApp extends RoutedApp {
  readonly record: AppRecord
  /** The release in the record, when it is on this machine. */
  readonly running: LoadedRelease | undefined
}

/** How the applications of the config stand. Reads records and processes only. */
export async function observeApps(appliance: Appliance): Promise<readonly ObservedApp[]> {
  return Promise.all(Object.keys(appliance.config.applications).map((app) => observeApp(appliance, app)))
}

async function observeApp(appliance: Appliance, app: string): Promise<ObservedApp> {
  const record = await readAppRecord(appliance.ports.files, appliance.folders.apps, app)
  const running =
    record.releaseId === undefined ? undefined : await findRelease(appliance, app, record.releaseId)
  const service = running?.application.web.service
  const runs = service !== undefined && (await appliance.runtime.status(app, service))?.state === 'running'
  const webPort = runs ? record.ports[service] : undefined
  return { app, record, running, webPort }
}

/** The state of the appliance now, with the problems that were just seen. */
export async function observeState(
  appliance: Appliance,
  problems: readonly PartProblem[] = [],
): Promise<ApplianceState> {
  const { ports, stateFolder } = appliance
  const known = await readFacts(ports.files, stateFolder)
  // Without a holder of the lock nobody is at it any more: whoever began it was killed.
  const isUnderWay = known.activity !== undefined && (await findLockHolder(ports, stateFolder)) !== undefined
  const facts = isUnderWay ? known : { ...known, activity: undefined }
  const apps = await observeApps(appliance)
  return deriveState(facts, {
    standby: appliance.config.standby,
    apps: apps.map(({ app, webPort }) => ({ app, served: webPort !== undefined })),
    problems,
  })
}
