import { join } from 'node:path'
import { DAY_MS, SECOND_MS } from '@caretaker/kernel/time.ts'
import { isIssuedBy, parseCertificate } from '../../certificates/renewal.ts'
import { readFacts } from '../facts.ts'
import { authorityFile } from '../gateway-service.ts'
import { certificateNames } from '../routes.ts'
import type { ApplianceCheck, Found, Scene } from './finding.ts'
import { wholeDays } from './machine-checks.ts'

/** Certificates are renewed long before; one that is so near its end was not. */
const EXPIRES_SOON_MS = 10 * DAY_MS
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

async function certificates({ appliance }: Scene): Promise<readonly Found[]> {
  const { ports: our, config, folders } = appliance
  const authority = await our.files.readText(authorityFile(appliance))
  const { startedBefore } = await readFacts(our.files, appliance.stateFolder)
  if (!startedBefore) return []
  const next = 'caretaker up'
  if (authority === undefined) {
    const what = `${authorityFile(appliance)} is missing; one made anew has to be trusted anew`
    return [{ code: 'CERTIFICATE_INVALID', what, next }]
  }
  const status = await appliance.gateway.status().catch(() => undefined)
  const served = new Set(status?.certificates.map(({ fingerprint }) => fingerprint))
  const found: Found[] = []
  for (const { name } of certificateNames(config)) {
    const path = join(folders.certificates, `${name}.crt`)
    const pem = await our.files.readText(path)
    const keyThere = await our.files.stat(join(folders.certificates, `${name}.key`))
    if (pem === undefined || !keyThere) {
      const what = `${pem === undefined ? path : join(folders.certificates, `${name}.key`)} is missing`
      found.push({ code: 'CERTIFICATE_INVALID', what, next })
      continue
    }
    let certificate: ReturnType<typeof parseCertificate>
    try {
      certificate = parseCertificate(pem)
    } catch {
      found.push({ code: 'CERTIFICATE_INVALID', what: `${path} is no certificate`, next })
      continue
    }
    const leftMs = certificate.validToDate.getTime() - our.clock.now().getTime()
    if (leftMs < EXPIRES_SOON_MS) {
      const what = leftMs < 0 ? `${path} has ended` : `${path} ends in ${wholeDays(leftMs)} days`
      found.push({ code: 'CERTIFICATE_EXPIRING', what, next })
    }
    if (!isIssuedBy(pem, authority)) {
      const what = `${path} was not issued by ${authorityFile(appliance)}`
      found.push({ code: 'CERTIFICATE_FOREIGN', what, next })
    }
    if (status && !served.has(certificate.fingerprint256.replaceAll(':', '').toLowerCase())) {
      const what = `the gateway shows another certificate than ${path}`
      found.push({ code: 'CERTIFICATE_NOT_SERVED', what, next })
    }
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
