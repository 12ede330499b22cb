import { serviceNamed } from '../application/application.ts'
import { waitHealthy } from '../runtime/health.ts'
import { APPLIANCE, type ServiceStatus, serviceKey } from '../runtime/runtime.ts'
import { POSTGRES_SERVICE, startDatabase } from './app-database.ts'
import { readAppRecord } from './app-records.ts'
import { loadRelease } from './app-release.ts'
import { writeSecretFiles } from './app-secrets.ts'
import type { Appliance } from './appliance.ts'
import { CADDY_SERVICE, caddySpec, GATEWAY_SERVICE, gatewaySpec } from './gateway-service.ts'
import { wantedServices } from './missing-services.ts'
import { ensurePorts } from './service-ports.ts'
import { serviceSpec } from './service-specs.ts'

/** Starts a service of the release that runs, a Postgres or a part of the appliance, as the config says by now. */
export async function startAgain(
  appliance: Appliance,
  { app, service }: Pick<ServiceStatus, 'app' | 'service'>,
  signal: AbortSignal,
): Promise<void> {
  const { ports, runtime, folders } = appliance
  if (app === APPLIANCE && service === GATEWAY_SERVICE) return runtime.start(gatewaySpec(appliance))
  if (app === APPLIANCE && service === CADDY_SERVICE) return runtime.start(caddySpec(appliance))
  if (service === POSTGRES_SERVICE) return startDatabase(appliance, app, signal)
  const before = await readAppRecord(ports.files, folders.apps, app)
  const loaded = await loadRelease(appliance, app, before.releaseId ?? '')
  const { application } = loaded
  await writeSecretFiles(appliance, application)
  const { slot } = before
  const record = await ensurePorts(appliance, application, slot)
  const start = async (name: string) =>
    runtime.start(await serviceSpec(appliance, loaded, record, serviceNamed(application, name)))
  await start(service)
  const key = serviceKey(service, slot)
  if (record.ports[key] === before.ports[key]) return
  // The others know the address that it had.
  for (const { name } of application.services) {
    if (name !== service && (await runtime.status(app, name, slot))?.state === 'running') await start(name)
  }
}

/** Starts again what of an application should run and does not, and waits until its web service is healthy then. */
export async function startEnded(appliance: Appliance, app: string, signal: AbortSignal): Promise<void> {
  const { ports, runtime, folders } = appliance
  const record = await readAppRecord(ports.files, folders.apps, app)
  if (record.releaseId === undefined) return
  const loaded = await loadRelease(appliance, app, record.releaseId)
  const { application } = loaded
  let hasEnded = false
  for (const [service, slot] of wantedServices(application, record)) {
    if ((await runtime.status(app, service, slot))?.state === 'running') continue
    hasEnded = true
    await startAgain(appliance, { app, service }, signal)
  }
  if (!hasEnded) return
  const now = await readAppRecord(ports.files, folders.apps, app)
  const web = serviceNamed(application, application.web.service)
  await waitHealthy(ports, runtime, await serviceSpec(appliance, loaded, now, web), signal)
}
