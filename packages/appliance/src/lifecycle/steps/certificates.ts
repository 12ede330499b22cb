import { createPrivateKey } from 'node:crypto'
import { join } from 'node:path'
import type { Secret } from '@caretaker/kernel/secrets.ts'
import { MINUTE_MS } from '@caretaker/kernel/time.ts'
import { writeDurably } from '@caretaker/ports/durable.ts'
import { defineStep } from '@caretaker/steps/step.ts'
import { parseCertificate } from '../../certificates/renewal.ts'
import { ensureServerCertificate, isGood } from '../../certificates/server-certificate.ts'
import type { Appliance } from '../appliance.ts'
import { chooseForHosts, fingerprintOf } from '../chosen-certificates.ts'
import { authorityFile } from '../gateway-service.ts'
import { refreshGateway } from '../refresh-gateway.ts'
import { certificateNames } from '../routes.ts'

/** Makes or renews the certificates of the appliance's own authority for every host name. */
export const certificatesEnsure = (appliance: Appliance) =>
  defineStep<null, null>({
    kind: 'certificates.ensure',
    describe: () => 'Make the certificates of the own authority for every host name',
    async check() {
      return (await areGood(appliance)) && (await areServed(appliance))
        ? { state: 'done' }
        : { state: 'needed', before: null }
    },
    async apply() {
      const { ports, config, folders } = appliance
      await ports.files.makeFolder(folders.certificates, 0o711)
      const authorityPem = await ensureAuthority(appliance)
      for (const { name, hosts } of certificateNames(config)) {
        const request = {
          folder: folders.certificates,
          name,
          hosts,
          authorityKey: config.keys.ca_key,
          authorityPem,
        }
        await ensureServerCertificate(ports, request)
      }
      if (await servedFingerprints(appliance)) await refreshGateway(appliance)
    },
    undo: 'not-needed',
    timeoutMs: MINUTE_MS,
  })

/**
 * The certificate of the own authority: made once for its key, then kept, so that it is trusted once. One that was made
 * by a wrong clock and is not valid now is made anew; with the same key, so that who trusts the old one trusts it too.
 */
async function ensureAuthority(appliance: Appliance): Promise<string> {
  const { ports, config } = appliance
  const present = await ports.files.readText(authorityFile(appliance))
  if (present !== undefined && isUsable(present, config.keys.ca_key, ports.clock.now())) return present
  const { authorityCertificate } = await import('../../certificates/authority.ts')
  const name = `Caretaker ${config.identity.domain}`
  const pem = await authorityCertificate(config.keys.ca_key, { name, now: ports.clock.now() })
  await writeDurably(ports.files, authorityFile(appliance), pem, 0o644)
  return pem
}

/** Whether the certificate was made for the key that the config holds now, and is valid. */
function isUsable(pem: string, key: Secret, now: Date): boolean {
  try {
    const certificate = parseCertificate(pem)
    const isValid = certificate.validFromDate <= now && now < certificate.validToDate
    return isValid && certificate.checkPrivateKey(createPrivateKey(key.reveal()))
  } catch {
    return false
  }
}

async function areGood(appliance: Appliance): Promise<boolean> {
  const { ports, config, folders } = appliance
  const authorityPem = await ports.files.readText(authorityFile(appliance))
  if (authorityPem === undefined || !isUsable(authorityPem, config.keys.ca_key, ports.clock.now()))
    return false
  for (const { name, hosts } of certificateNames(config)) {
    const pem = await ports.files.readText(join(folders.certificates, `${name}.crt`))
    const key = await ports.files.readText(join(folders.certificates, `${name}.key`))
    if (pem === undefined || !isGood(pem, key, { hosts, authorityPem }, ports.clock.now())) return false
  }
  return true
}

/** Fingerprints of what the gateway shows to visitors; undefined while it does not answer. */
async function servedFingerprints(appliance: Appliance): Promise<ReadonlySet<string> | undefined> {
  const status = await appliance.gateway.status().catch(() => undefined)
  return status && new Set(status.certificates.map(({ fingerprint }) => fingerprint))
}

/** Whether a gateway that runs serves the certificates that lie on disk, and not earlier ones. */
async function areServed(appliance: Appliance): Promise<boolean> {
  const served = await servedFingerprints(appliance)
  if (!served) return true
  const chosen = await chooseForHosts(appliance)
  return chosen.every(({ candidate }) => served.has(fingerprintOf(candidate.pem)))
}
