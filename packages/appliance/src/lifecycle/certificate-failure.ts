import type { ErrorReport } from '@caretaker/kernel/errors.ts'
import type { CertificateState } from '../certificates/acme/state.ts'
import { parseCertificate } from '../certificates/renewal.ts'
import { wantedCertificates } from '../certificates/wanted.ts'
import { ownApplications } from '../config/clone.ts'
import type { Config } from '../config/config.ts'
import type { HostChoice } from './chosen-certificates.ts'

/** What passes by itself is no failure while the certificate that is shown has more than this part of its life left. */
const CALM_FRACTION = 1 / 6

/** Why a host is not shown a certificate from where it should come, or will not be for long. */
export interface HostTrouble {
  readonly host: string
  readonly error: ErrorReport
}

/**
 * What is wrong with the certificates of the applications: why each host whose certificate should come from elsewhere
 * has none, or one that could not be renewed. `provided` are files of a person that were not taken. Pure.
 */
export function certificateTroubles(
  config: Config,
  state: CertificateState,
  choices: readonly HostChoice[],
  provided: readonly ErrorReport[],
  now: Date,
): readonly HostTrouble[] {
  if (config.tls.mode === 'own-ca') return []
  const wanted = config.tls.mode === 'acme' ? wantedCertificates(config) : []
  // Clones come and go: theirs need not come from elsewhere.
  const owners = new Set(Object.keys(ownApplications(config)).map((app) => `app-${app}`))
  const ofApps = choices.filter(({ owner }) => owners.has(owner))
  return ofApps.flatMap(({ owner, host, candidate, instead }): HostTrouble[] => {
    const name = wanted.find((entry) => entry.name === owner)?.name ?? 'wildcard'
    const cause = state.certificates[name]?.retry?.error ?? state.directory?.error ?? provided[0]
    if (instead) return [{ host, error: endingReport(host, instead, cause) }]
    if (candidate.source === 'own-ca') {
      if (cause) return [{ host, error: cause }]
      return config.tls.mode === 'provided' ? [{ host, error: unnamedReport(host) }] : []
    }
    const retry = state.certificates[name]?.retry ?? state.directory
    const passes = retry?.kind === 'unreachable' || retry?.kind === 'limited' || retry?.kind === 'stale'
    if (retry && !(passes && isCalm(candidate.pem, now))) return [{ host, error: retry.error }]
    const [refused] = provided
    return refused ? [{ host, error: refused }] : []
  })
}

/** The troubles as the one failure of the part `certificates`; undefined when there are none. Pure. */
export function certificateFailure(troubles: readonly HostTrouble[]): ErrorReport | undefined {
  const errors = new Map(troubles.map(({ error }) => [`${error.code} ${error.what} ${error.why}`, error]))
  const [first, ...others] = [...errors.values()].toSorted((a, b) => urgency(a) - urgency(b))
  if (!first) return undefined
  if (others.length === 0) return first
  const more = others.map(({ what, why }) => `${what}: ${why}`)
  return { ...first, why: [first.why, ...more].join('. ') }
}

/** What a visitor notices first comes first. */
function urgency({ code }: ErrorReport): number {
  const order = ['CERTIFICATE_NOT_SERVED', 'CERTIFICATE_EXPIRING', 'ACME_DOMAIN_FAILED', 'ACME_DNS_FAILED']
  const index = (order as readonly string[]).indexOf(code)
  return index === -1 ? order.length : index
}

function isCalm(pem: string, now: Date): boolean {
  const { validFromDate, validToDate } = parseCertificate(pem)
  const lifetimeMs = validToDate.getTime() - validFromDate.getTime()
  return validToDate.getTime() - now.getTime() > lifetimeMs * CALM_FRACTION
}

function endingReport(
  host: string,
  { candidate, because }: NonNullable<HostChoice['instead']>,
  cause: ErrorReport | undefined,
): ErrorReport {
  const end = parseCertificate(candidate.pem).validToDate.toISOString()
  const ending = {
    ended: `the certificate has ended on ${end}`,
    'ends-soon': `the certificate ends on ${end}`,
    'not-yet-valid': 'the certificate is not valid yet by the clock of this machine',
  }[because]
  return {
    code: 'CERTIFICATE_EXPIRING',
    what: `${host} is shown with a certificate of the appliance's own authority, which browsers warn of`,
    why: cause ? `${ending} and was not renewed: ${cause.why}` : `${ending} and was not renewed`,
    next: cause?.next ?? 'caretaker cert renew --now',
    exit_code: 3,
  }
}

function unnamedReport(host: string): ErrorReport {
  return {
    code: 'CERTIFICATE_INVALID',
    what: `${host} is shown with a certificate of the appliance's own authority, which browsers warn of`,
    why: 'no certificate in tls.provided names it',
    next: 'Add one that does to tls.provided, then "caretaker up"',
    exit_code: 2,
  }
}
