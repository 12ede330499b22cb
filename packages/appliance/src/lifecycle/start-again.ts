import { serviceNamed } from '../application/application.ts'
import { APPLIANCE, type ServiceStatus, serviceKey } from '../runtime/runtime.ts'
import { POSTGRES_SERVICE, startDatabase } from './app-database.ts'
import { readAppRecord } from './app-records.ts'
import { loadRelease } from './app-release.ts'
import { writeSecretFiles } from './app-secrets.ts'
import type { Appliance } from './appliance.ts'
import { CADDY_SERVICE, caddySpec, GATEWAY_SERVICE, gatewaySpec } from './gateway-service.ts'
import { ensurePorts } from './service-ports.ts'
import { serviceSpec } from './service-specs.ts'

/** Starts a service of the release that runs, a Postgres or a part of the appliance, as the config says by now. */
export async function startAgain(
  appliance: Appliance,
  { app, service }: ServiceStatus,
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
