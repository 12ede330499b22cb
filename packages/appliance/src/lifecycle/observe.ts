import { type ErrorReport, isAppError, toAppError } from '@caretaker/kernel/errors.ts'
import { findLockHolder } from '@caretaker/steps/operation-lock.ts'
import type { Route } from '../gateway/gateway-config.ts'
import { readGatewayConfig } from '../gateway/given-config.ts'
import { foreignListener } from '../runtime/foreign-listener.ts'
import { LOOPBACK, serviceKey } from '../runtime/runtime.ts'
import { POSTGRES_SERVICE } from './app-database.ts'
import { type AppRecord, emptyAppRecord, readAppRecord } from './app-records.ts'
import { findRelease, type LoadedRelease } from './app-release.ts'
import type { Appliance } from './appliance.ts'
import { type ApplianceState, deriveState, type PartProblem } from './appliance-state.ts'
import { readFacts } from './facts.ts'
import type { RoutedApp } from './routes.ts'

export interface ObservedApp extends RoutedApp {
  readonly record: AppRecord
  /** The release in the record, when it is on this machine. */
  readonly running: LoadedRelease | undefined
  /** Why record or release cannot be read; then the record is an empty one. */
  readonly trouble: ErrorReport | undefined
}

/** How the applications of the config stand. Reads records and processes only. */
export async function observeApps(appliance: Appliance): Promise<readonly ObservedApp[]> {
  return Promise.all(Object.keys(appliance.config.applications).map((app) => observeApp(appliance, app)))
}

/** What is damaged of one application is its own trouble: nothing of the others is in doubt. */
async function observeApp(appliance: Appliance, app: string): Promise<ObservedApp> {
  try {
    return await observeWhole(appliance, app)
  } catch (error) {
    const trouble = toAppError(error).toReport()
    if (trouble.code === 'INTERNAL') throw error
    const upstream = await upstreamAsLast(appliance, app).catch(() => undefined)
    const record = emptyAppRecord(app)
    return { app, record, running: undefined, upstream, trouble }
  }
}

async function observeWhole(appliance: Appliance, app: string): Promise<ObservedApp> {
  const record = await readAppRecord(appliance.ports.files, appliance.folders.apps, app)
  const running =
    record.releaseId === undefined ? undefined : await findRelease(appliance, app, record.releaseId)
  const isClone = appliance.config.applications[app]?.clone !== undefined
  const mailPort = isClone ? (await appliance.runtime.cell(app))?.mailPagePort : undefined
  return {
    app,
    record,
    running,
    upstream: await upstreamOf(appliance, app, record, running),
    trouble: undefined,
    ...(mailPort === undefined ? {} : { mailPort }),
  }
}

/**
 * Where the web service of an application is reached; undefined while it does not run. While the engine cannot be asked,
 * it is where it was: what runs goes on without the engine.
 */
async function upstreamOf(
  appliance: Appliance,
  app: string,
  record: AppRecord,
  running: LoadedRelease | undefined,
): Promise<ObservedApp['upstream']> {
  if (!running) return undefined
  const { service, port } = running.application.web
  try {
    const status = await appliance.runtime.status(app, service, record.slot)
    if (status?.state !== 'running') return undefined
    if (status.address !== undefined) return { host: status.address, port }
    const own = record.ports[serviceKey(service, record.slot)]
    // Nothing is ever handed to a program of another user that has taken the port.
    if (own === undefined || (await foreignListener(appliance.ports, own, appliance.serviceUser)))
      return undefined
    return { host: LOOPBACK, port: own }
  } catch (error) {
    if (!isAppError(error, 'ENGINE_UNREACHABLE')) throw error
    const last = await lastRoute(appliance, app)
    // Where another release was is nobody, or somebody else, by now.
    return (last?.slot ?? 'a') === record.slot ? last?.upstream : undefined
  }
}

/** Where it was served, while something of it runs: what is served goes on although it is not known any more. */
async function upstreamAsLast(appliance: Appliance, app: string): Promise<ObservedApp['upstream']> {
  const runs = (await appliance.runtime.list()).some(
    (status) => status.app === app && status.service !== POSTGRES_SERVICE && status.state === 'running',
  )
  return runs ? (await lastRoute(appliance, app))?.upstream : undefined
}

async function lastRoute(appliance: Appliance, app: string): Promise<Route | undefined> {
  return (await readGatewayConfig(appliance))?.routes.find((route) => route.app === app)
}

/**
 * The state of the appliance now, with the problems that were just seen. `isTended`: a daemon runs, or the caller acts
 * itself; then it counts no more that an earlier daemon has stopped everything.
 */
export async function observeState(
  appliance: Appliance,
  problems: readonly PartProblem[] = [],
  isTended = true,
): Promise<ApplianceState> {
  const { ports, stateFolder } = appliance
  const known = await readFacts(ports.files, stateFolder)
  // Without a holder of the lock nobody is at it any more: whoever began it was killed.
  const isUnderWay = known.activity !== undefined && (await findLockHolder(ports, stateFolder)) !== undefined
  const facts = {
    ...known,
    activity: isUnderWay ? known.activity : undefined,
    daemonEnded: isTended ? undefined : known.daemonEnded,
  }
  const apps = await observeApps(appliance)
  const since = ports.clock.now().toISOString()
  const troubles = apps.flatMap(({ app, trouble }) => (trouble ? [troubleOf(app, trouble, since)] : []))
  return deriveState(facts, {
    standby: appliance.config.standby,
    // Whether a clone runs changes nothing about whether the appliance serves.
    apps: apps
      .filter(({ app }) => !appliance.config.applications[app]?.clone)
      .map(({ app, upstream }) => ({ app, served: upstream !== undefined })),
    problems: [...troubles, ...problems],
  })
}

function troubleOf(part: string, { code, what, why, next }: ErrorReport, since: string): PartProblem {
  return { part, code, reason: `${what}: ${why}`, next, since }
}
