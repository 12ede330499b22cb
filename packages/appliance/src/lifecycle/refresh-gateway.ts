import { join } from 'node:path'
import { hashOf } from '@caretaker/kernel/json.ts'
import type { GatewayConfig, ServiceReason } from '../gateway/gateway-config.ts'
import { readGatewayConfig } from '../gateway/given-config.ts'
import type { Appliance } from './appliance.ts'
import { chooseForHosts, gatewayCertificates } from './chosen-certificates.ts'
import { inTurn } from './in-turn.ts'
import { observeApps, observeState } from './observe.ts'
import { certificateNames, gatewayConfig } from './routes.ts'

/**
 * The config that the gateway should have now. Certificates that are not made yet are left out. `spared`: an application
 * that another one is changing, whose route stays as it is.
 */
export async function computeGatewayConfig(appliance: Appliance, spared?: string): Promise<GatewayConfig> {
  const { ports, config } = appliance
  const certificates = gatewayCertificates(await chooseForHosts(appliance))
  const state = await observeState(appliance)
  const now = ports.clock.now().toISOString()
  const wanted = gatewayConfig(config, certificates, state, await observeApps(appliance), now)
  const last = await readGatewayConfig(appliance)
  return keepSince(spared === undefined ? wanted : keepRoute(wanted, last, spared), last)
}

function keepRoute(wanted: GatewayConfig, last: GatewayConfig | undefined, app: string): GatewayConfig {
  const kept = last?.routes.find((route) => route.app === app)
  const routes = wanted.routes.map((route) => (route.app === app ? (kept ?? route) : route))
  return { ...wanted, routes }
}

/** A reason that is still the same keeps the instant since which it is: the config does not change by being asked. */
function keepSince(wanted: GatewayConfig, last: GatewayConfig | undefined): GatewayConfig {
  const older = (reason: ServiceReason | undefined, before: ServiceReason | undefined) =>
    reason && before && reason.code === before.code && reason.reason === before.reason
      ? { ...reason, since: before.since }
      : reason
  const service = older(wanted.service, last?.service)
  return {
    ...wanted,
    ...(service ? { service } : {}),
    routes: wanted.routes.map((route) => {
      const reason = older(route.reason, last?.routes.find((entry) => entry.app === route.app)?.reason)
      return { ...route, ...(reason ? { reason } : {}) }
    }),
  }
}

/** Whether the gateway has the config it should have; `since` of a reason does not count. */
export async function isGatewayCurrent(appliance: Appliance, spared?: string): Promise<boolean> {
  return (await compareGateway(appliance, spared)) === 'current'
}

/**
 * Whether the gateway has the routes it should have, or will have them without being told: one that is started, or given
 * certificates that were missing, is given the whole config.
 */
export async function willRoute(appliance: Appliance): Promise<boolean> {
  return (await compareGateway(appliance)) !== 'behind'
}

async function compareGateway(
  appliance: Appliance,
  spared?: string,
): Promise<'current' | 'behind' | 'no-answer' | 'no-certificates'> {
  const status = await appliance.gateway.status().catch(() => undefined)
  if (!status) return 'no-answer'
  const wanted = await computeGatewayConfig(appliance, spared)
  const covered = new Set(wanted.certificates.flatMap(({ hosts }) => hosts))
  const all = certificateNames(appliance.config).flatMap(({ hosts }) => hosts)
  if (!all.every((host) => covered.has(host))) return 'no-certificates'
  return status.configHash === hashOf(wanted) ? 'current' : 'behind'
}

/**
 * Lets all requests go on that wait for the end of an operation. For who holds the lock when no operation is under way
 * any more: a hold that its operation has left would end hours later.
 */
export async function endHolds({ gateway }: Appliance): Promise<void> {
  const { apps } = await gateway.status()
  for (const { app, holding } of apps) if (holding) await gateway.release(app)
}

/**
 * Puts the config in force that follows from the state now; of two at once the one that looked later comes later.
 * @throws AppError as `Gateway.apply`
 */
export async function refreshGateway(appliance: Appliance, spared?: string): Promise<void> {
  await inTurn(join(appliance.stateFolder, 'gateway'), async () =>
    appliance.gateway.apply(await computeGatewayConfig(appliance, spared)),
  )
}
