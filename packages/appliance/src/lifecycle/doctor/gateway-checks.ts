import { SECOND_MS } from '@caretaker/kernel/time.ts'
import { readFacts } from '../facts.ts'
import { certificateNames } from '../routes.ts'
import { certificates } from './certificate-checks.ts'
import type { ApplianceCheck, Found, Scene } from './finding.ts'

const RESOLVE_LIMIT_MS = 2 * SECOND_MS

/** What visitors meet first. */
export const GATEWAY_CHECKS: readonly ApplianceCheck[] = [
  { name: 'ports', says: 'the ports of the gateway are its own', look: ports },
  { name: 'gateway', says: 'the gateway answers', look: gateway },
  { name: 'certificates', says: 'every certificate is good and shown', look: certificates },
  { name: 'names', says: 'every host name leads to this machine', look: names },
]

async function ports({ appliance }: Scene): Promise<readonly Found[]> {
  const { network } = appliance.ports
  const { bind, http_port, https_port } = appliance.config.gateway
  if (await appliance.gateway.status().catch(() => undefined)) return []
  const found: Found[] = []
  for (const port of [https_port, http_port]) {
    if (port === null) continue
    const can = await network.canListen(bind, port)
    if (can === 'yes') continue
    const holder = can === 'in-use' ? await network.listener(port) : undefined
    const who = holder ? `"${holder.program}" (pid ${holder.pid})` : 'another program'
    const why = {
      'in-use': `${who} uses it`,
      'no-permission': 'we may not use it',
      'no-address': `this machine has no address ${bind}`,
    }[can]
    const next = {
      'in-use': `End ${holder ? `process ${holder.pid}` : 'that program ("ss -ltnp" shows it)'}, or set another port in the config; then "caretaker up"`,
      'no-permission': 'Set a port above 1023 in the config, or run as root; then "caretaker up"',
      'no-address': 'Set an address of this machine as caretaker.gateway.bind ("ip address" lists them)',
    }[can]
    const code = can === 'in-use' ? 'PORT_IN_USE' : can === 'no-address' ? 'CONFIG_CONFLICT' : 'NO_PERMISSION'
    found.push({ code, what: `${bind}:${port}: ${why}`, next })
  }
  return found
}

async function gateway({ appliance }: Scene): Promise<readonly Found[]> {
  const { ports: our, stateFolder } = appliance
  const { startedBefore, wanted } = await readFacts(our.files, stateFolder)
  if (!startedBefore || wanted === 'down') return []
  // What it throws says why it is not there.
  const status = await appliance.gateway.status()
  const found: Found[] = status.problems.map(({ code, what, why, next }) => ({
    code,
    what: `${what}: ${why}`,
    next,
  }))
  if (!status.https) {
    const next = 'Look at "caretaker logs gateway", then "caretaker up"'
    found.push({ code: 'GATEWAY_UNREACHABLE', what: 'the gateway runs and listens nowhere', next })
  }
  return found
}

/** Only noticed: behind a router or a proxy a name leads elsewhere and is right. */
async function names({ appliance }: Scene): Promise<readonly Found[]> {
  const { network } = appliance.ports
  const own = new Set(network.addresses())
  const hosts = [...new Set(certificateNames(appliance.config).flatMap((entry) => entry.hosts))]
  const looked = await Promise.all(
    hosts.map(async (host) => ({ host, to: await network.resolve(host, RESOLVE_LIMIT_MS) })),
  )
  return looked
    .filter(({ to }) => !to.some((address) => own.has(address)))
    .map(({ host, to }) => ({
      result: 'notice' as const,
      code: 'NAME_ELSEWHERE',
      what: `${host} ${to.length === 0 ? 'is not known to the resolver' : `leads to ${to.join(', ')}`}`,
      next: `Unless that is meant so, set its DNS record to an address of this machine ("ip address" lists them)`,
    }))
}
