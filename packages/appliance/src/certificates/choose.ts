import { DAY_MS } from '@caretaker/kernel/time.ts'
import { coversHosts, parseCertificate } from './renewal.ts'

export type CertificateSource = 'own-ca' | 'acme' | 'provided'

/** A certificate that lies ready with its key. */
export interface Candidate {
  readonly source: CertificateSource
  /** `app-shop`, `wildcard`, …; files of one name follow one another. */
  readonly name: string
  readonly certificateFile: string
  readonly keyFile: string
  readonly pem: string
}

/**
 * Before it ends a certificate gives way to one of the own authority, so that nobody is shown one that has ended: a
 * thirtieth of its lifetime before, at most a day.
 */
const TAKEOVER_FRACTION = 1 / 30
const TAKEOVER_AT_MOST_MS = DAY_MS

/** Why a certificate is not shown though it names the host. */
export type PassedOver = 'not-yet-valid' | 'ends-soon' | 'ended'

export interface Choice {
  readonly candidate: Candidate
  /** Set when nothing better was found than one of the own authority, and one from elsewhere has ended or will soon. */
  readonly instead: { readonly candidate: Candidate; readonly because: PassedOver } | undefined
}

/**
 * Which certificate a host is shown: of those from elsewhere that are good the first, else that of the own authority.
 * `candidates` stand newest first: a person may have had a new one made because of the key of the old. Undefined when
 * there is none at all. Pure.
 */
export function chooseCertificate(
  host: string,
  candidates: readonly Candidate[],
  now: Date,
): Choice | undefined {
  const naming = candidates.filter(({ pem }) => coversHosts(pem, [host]))
  const elsewhere = naming.filter(({ source }) => source !== 'own-ca')
  const good = elsewhere.find(({ pem }) => unfitBecause(pem, now) === undefined)
  if (good) return { candidate: good, instead: undefined }
  const [last] = elsewhere.toSorted((a, b) => endOf(b) - endOf(a))
  const because = last && unfitBecause(last.pem, now)
  const own = naming.find(({ source }) => source === 'own-ca')
  // One that ends soon is still better than none.
  if (!own) return last && { candidate: last, instead: undefined }
  return { candidate: own, instead: last && because ? { candidate: last, because } : undefined }
}

/** Why a certificate must not be shown any more, or not yet; undefined while it is good. Pure. */
export function unfitBecause(pem: string, now: Date): PassedOver | undefined {
  const { validFromDate, validToDate } = parseCertificate(pem)
  const lifetimeMs = validToDate.getTime() - validFromDate.getTime()
  const leftMs = validToDate.getTime() - now.getTime()
  if (now < validFromDate) return 'not-yet-valid'
  if (leftMs <= 0) return 'ended'
  return leftMs <= Math.min(lifetimeMs * TAKEOVER_FRACTION, TAKEOVER_AT_MOST_MS) ? 'ends-soon' : undefined
}

function endOf({ pem }: Candidate): number {
  return parseCertificate(pem).validToDate.getTime()
}
