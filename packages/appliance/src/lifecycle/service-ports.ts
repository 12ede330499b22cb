import type { Application, Service } from '../application/application.ts'
import { foreignListener } from '../runtime/foreign-listener.ts'
import { LOOPBACK, parseServiceKey, type Slot, serviceKey } from '../runtime/runtime.ts'
import { type AppRecord, readAppRecord, updateAppRecord } from './app-records.ts'
import type { Appliance } from './appliance.ts'

/** Whether it listens on a port of this machine; a container listens on addresses of its own. */
export const needsPort = (appliance: Appliance, service: Service): boolean =>
  appliance.runtime.kind === 'process' && service.ports.length > 0

/**
 * A loopback port for every service that listens: the recorded one while it can be had, so that the others' addresses
 * stay as they are.
 */
export async function ensurePorts(
  appliance: Appliance,
  application: Application,
  slot: Slot,
): Promise<AppRecord> {
  const { ports, folders } = appliance
  const app = application.name
  const record = await readAppRecord(ports.files, folders.apps, app)
  const chosen = Object.fromEntries(
    Object.entries(record.ports).filter(([key]) => parseServiceKey(key).slot !== slot),
  )
  for (const { name } of application.services.filter((service) => needsPort(appliance, service))) {
    const key = serviceKey(name, slot)
    const known = record.ports[key]
    const usable = known !== undefined && (await isUsable(appliance, app, name, slot, known))
    chosen[key] = usable ? known : await ports.network.freePort()
  }
  return updateAppRecord(ports.files, folders.apps, app, { ports: chosen })
}

/** The port of each service in one slot. */
export function portsIn(record: AppRecord, slot: Slot): Readonly<Record<string, number>> {
  return Object.fromEntries(
    Object.entries(record.ports).flatMap(([key, port]) => {
      const named = parseServiceKey(key)
      return named.slot === slot ? [[named.service, port] as const] : []
    }),
  )
}

async function isUsable(
  appliance: Appliance,
  app: string,
  service: string,
  slot: Slot,
  port: number,
): Promise<boolean> {
  const { ports, runtime, serviceUser } = appliance
  if ((await foreignListener(ports, port, serviceUser)) !== undefined) return false
  if ((await runtime.status(app, service, slot))?.state === 'running') return true
  return (await ports.network.canListen(LOOPBACK, port)) === 'yes'
}

/** Who else listens on the port of a service that runs as a process, in words; undefined when nobody does. */
export async function foreignHolder(
  appliance: Appliance,
  app: string,
  service: string,
  slot: Slot,
): Promise<string | undefined> {
  const { ports, folders, runtime, serviceUser } = appliance
  if (runtime.kind !== 'process') return undefined
  // A damaged record is said by who needs it.
  const record = await readAppRecord(ports.files, folders.apps, app).catch(() => undefined)
  const port = record?.ports[serviceKey(service, slot)]
  return port === undefined ? undefined : foreignListener(ports, port, serviceUser)
}
