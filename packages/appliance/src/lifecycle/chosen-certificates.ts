import { join } from 'node:path'
import { readCertificateState } from '../certificates/acme/state.ts'
import { type Candidate, type Choice, chooseCertificate } from '../certificates/choose.ts'
import { parseCertificate } from '../certificates/renewal.ts'
import { readPair, type StoredCandidate, storedPairs } from '../certificates/store.ts'
import type { Config } from '../config/config.ts'
import type { GatewayCertificate } from '../gateway/gateway-config.ts'
import type { Appliance } from './appliance.ts'
import { certificateNames } from './routes.ts'

/** A host and the certificate it is to be shown. */
export interface HostChoice extends Choice {
  /** `appliance`, or `app-NAME`. */
  readonly owner: string
  readonly host: string
}

/** What lies ready to be shown, as the mode of the config wants it: from elsewhere, and of the own authority. */
export async function certificateCandidates(appliance: Appliance): Promise<readonly Candidate[]> {
  const { ports, folders, config } = appliance
  const own = await Promise.all(
    certificateNames(config).map(({ name }) =>
      readPair(ports.files, folders.certificates, name, 'own-ca', name),
    ),
  )
  return [...(await elsewhere(appliance)), ...own.filter((pair) => pair !== undefined)]
}

async function elsewhere(appliance: Appliance): Promise<readonly StoredCandidate[]> {
  const { ports, stateFolder, folders, config } = appliance
  const { mode } = config.tls
  if (mode === 'own-ca') return []
  const stored = (await storedPairs(ports.files, folders.certificates)).filter(
    ({ source }) => source === mode,
  )
  if (mode === 'acme') return stored
  // When it is not known what was taken over last, nothing was: the own authority stands in.
  const { provided } = await readCertificateState(ports.files, stateFolder).catch(() => ({
    provided: {} as Readonly<Record<string, string>>,
  }))
  const ids = new Set(
    config.tls.provided.map(({ certificate }) => provided[providedPath(appliance, certificate)]),
  )
  return stored.filter(({ id }) => ids.has(id))
}

/** A path of the config; a relative one lies in the state folder. */
export function providedPath({ stateFolder }: Pick<Appliance, 'stateFolder'>, path: string): string {
  return path.startsWith('/') ? path : join(stateFolder, path)
}

/** For every host name of the config what it is to be shown; hosts for which there is nothing yet are left out. */
export async function chooseForHosts(appliance: Appliance): Promise<readonly HostChoice[]> {
  const candidates = await certificateCandidates(appliance)
  return chosenForHosts(appliance.config, candidates, appliance.ports.clock.now())
}

/** {@link chooseForHosts} from what lies ready. Pure. */
export function chosenForHosts(
  config: Config,
  candidates: readonly Candidate[],
  now: Date,
): readonly HostChoice[] {
  return certificateNames(config).flatMap(({ name, hosts }) =>
    hosts.flatMap((host) => {
      const choice = chooseCertificate(host, candidates, now)
      return choice ? [{ owner: name, host, ...choice }] : []
    }),
  )
}

/** The same as the gateway is told it: an entry for each certificate of each owner. Pure. */
export function gatewayCertificates(choices: readonly HostChoice[]): readonly GatewayCertificate[] {
  const entries = new Map<string, { hosts: string[]; certificateFile: string; keyFile: string }>()
  for (const { owner, host, candidate } of choices) {
    const { certificateFile, keyFile } = candidate
    const key = `${owner} ${certificateFile}`
    const entry = entries.get(key) ?? { hosts: [], certificateFile, keyFile }
    entry.hosts.push(host)
    entries.set(key, entry)
  }
  return [...entries.values()]
}

/** SHA-256 of a certificate in hex, as the gateway names what it shows. */
export function fingerprintOf(pem: string): string {
  return parseCertificate(pem).fingerprint256.replaceAll(':', '').toLowerCase()
}
