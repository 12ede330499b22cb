import { join } from 'node:path'
import type { Application, Service } from '../application/application.ts'
import { serviceEnvironment } from '../application/wiring.ts'
import { releaseSourceFolder } from '../release/release.ts'
import { DEFAULT_HEALTH, DEFAULT_STOP } from '../runtime/defaults.ts'
import type { HealthSpec, ServiceSpec, Slot } from '../runtime/runtime.ts'
import { databaseAddress } from './app-database.ts'
import { appFolders, volumeFolder } from './app-files.ts'
import type { AppRecord } from './app-records.ts'
import type { LoadedRelease } from './app-release.ts'
import { secretValue, sourceOf } from './app-secrets.ts'
import { type Appliance, programFolder } from './appliance.ts'
import { containedServiceSpec } from './container-specs.ts'
import { serviceLog } from './folders.ts'
import { isolationOf } from './isolation.ts'
import { learnFromCompose } from './learn-secrets.ts'
import { publicUrl } from './public-url.ts'
import { portsIn } from './service-ports.ts'

/** Services of the application that listen, in order. */
export function listeningServices(application: Application): readonly Service[] {
  return application.services.filter((service) => service.ports.length > 0)
}

/** Everything the runtime needs to run one service of a prepared release in a slot. Ports come from the record. */
export async function serviceSpec(
  appliance: Appliance,
  loaded: LoadedRelease,
  record: AppRecord,
  service: Service,
  slot: Slot = record.slot,
): Promise<ServiceSpec> {
  const { release, application } = loaded
  learnFromCompose(application)
  if (appliance.runtime.kind === 'docker') return containedServiceSpec(appliance, loaded, service, slot)
  const app = application.name
  const folders = appFolders(appliance, app)
  const source = releaseSourceFolder(appliance.stateFolder, release)
  const cwd = join(source, service.build?.context ?? '.', service.workingDir ?? '.')
  const own = portsIn(record, slot)
  const port = own[service.name]
  const node = join(await programFolder(appliance, 'node'), 'bin')
  return {
    app,
    service: service.name,
    slot,
    releaseId: release.releaseId,
    command: commandOf(service),
    cwd,
    env: serviceEnvironment(application, service, {
      publicUrl: publicUrl(appliance, app),
      timeZone: appliance.config.identity.time_zone,
      home: folders.home,
      path: `${node}:/usr/local/bin:/usr/bin:/bin`,
      database: application.database ? await databaseAddress(appliance, app) : undefined,
      listenPorts: own,
      urls: Object.fromEntries(
        Object.entries(own).map(([name, number]) => [name, `http://127.0.0.1:${number}`]),
      ),
      volumePaths: Object.fromEntries(
        application.volumes.map((volume) => [volume.name, volumeFolder(appliance, app, volume)]),
      ),
      secretFiles: Object.fromEntries(
        application.secrets.map(({ name }) => [name, join(folders.secrets, name)]),
      ),
      secrets: appliance.config.applications[app]?.secrets ?? {},
      environment: appliance.config.applications[app]?.clone ? application.clone.environment : {},
    }),
    secrets: service.secrets.map(({ secret }) =>
      secretValue(appliance, application, sourceOf(application, secret)),
    ),
    owner: appliance.serviceUser,
    logFile: serviceLog(appliance.folders, app, service.name),
    stop: { ...DEFAULT_STOP, signal: service.stopSignal, graceMs: service.stopGraceMs },
    health: healthOf(application, service, port),
    restart: service.restart === 'unless-stopped' ? 'always' : service.restart,
    ...(await isolationOf(appliance, app, port)),
  }
}

/** Entrypoint and command as one list of words; `checkRuntime` has refused everything else. */
function commandOf(service: Service): ServiceSpec['command'] {
  const words = [service.entrypoint ?? [], service.command ?? []].flat()
  if (words.length === 0) throw new Error(`service ${service.name} has no command`)
  return words as [string, ...string[]]
}

/** The health check of the compose file; for the web service without one, its health path. */
function healthOf(
  application: Application,
  service: Service,
  port: number | undefined,
): HealthSpec | undefined {
  const { web } = application
  const isWeb = web.service === service.name && port !== undefined
  const path = { kind: 'http' as const, port: port ?? 0, path: web.health }
  const check = service.healthcheck
  if (!check) return isWeb ? { ...DEFAULT_HEALTH, probe: path } : undefined
  const { intervalMs, timeoutMs, retries, startPeriodMs } = check
  const test = typeof check.test === 'string' ? undefined : check.test
  // The health path is asked over HTTP whatever the compose file's own check does: it is what users reach.
  const probe = isWeb || test === undefined ? path : { kind: 'command' as const, command: test }
  return isWeb || test !== undefined ? { probe, intervalMs, timeoutMs, retries, startPeriodMs } : undefined
}
