import { isWaiting } from './acme/retry.ts'
import type { CertificateState } from './acme/state.ts'
import type { Candidate } from './choose.ts'
import { coversHosts, needsRenewal, parseCertificate } from './renewal.ts'
import type { WantedCertificate } from './wanted.ts'

/** After a renewal this part of the lifetime passes before the next one, even when the clock says it is due. */
const LEAST_FRACTION_BETWEEN = 1 / 6

/** Why a certificate is to be had now; undefined while there is nothing to do. */
export type DueBecause =
  | 'there is none'
  | 'its names changed'
  | 'a third of its lifetime is left'
  | 'asked for'

export type DueDecision =
  | { readonly action: 'get'; readonly because: DueBecause }
  | { readonly action: 'wait'; readonly because: DueBecause; readonly until: string }
  | { readonly action: 'keep' }

/**
 * Whether a certificate is to be had from the ACME server now, or is due but has to wait. `asked`: a person wants it
 * now; then only the time that the server itself has named is waited for. Pure.
 */
export function decideDue(
  wanted: WantedCertificate,
  candidates: readonly Candidate[],
  state: CertificateState,
  now: Date,
  asked: boolean,
): DueDecision {
  const because = asked ? 'asked for' : dueBecause(wanted, candidates, state, now)
  if (because === undefined) return { action: 'keep' }
  for (const retry of [state.directory, state.certificates[wanted.name]?.retry]) {
    if (!retry || !isWaiting(retry, now)) continue
    if (!asked || retry.kind === 'limited') return { action: 'wait', because, until: retry.notBefore }
  }
  return { action: 'get', because }
}

function dueBecause(
  { name, hosts }: WantedCertificate,
  candidates: readonly Candidate[],
  state: CertificateState,
  now: Date,
): DueBecause | undefined {
  const own = candidates.filter((entry) => entry.source === 'acme' && entry.name === name)
  if (own.length === 0) return 'there is none'
  const fitting = own.filter(({ pem }) => coversHosts(pem, hosts))
  if (fitting.length === 0) return 'its names changed'
  if (fitting.some(({ pem }) => !needsRenewal(pem, now))) return undefined
  return isJustObtained(fitting, state.certificates[name]?.obtainedAt, now)
    ? undefined
    : 'a third of its lifetime is left'
}

/** A clock that is wrong makes every new certificate look old; the server is not asked for one after the other. */
function isJustObtained(fitting: readonly Candidate[], obtainedAt: string | undefined, now: Date): boolean {
  const passedMs = now.getTime() - Date.parse(obtainedAt ?? '')
  const lifetimes = fitting.map(({ pem }) => {
    const { validFromDate, validToDate } = parseCertificate(pem)
    return validToDate.getTime() - validFromDate.getTime()
  })
  return passedMs >= 0 && passedMs < Math.max(...lifetimes) * LEAST_FRACTION_BETWEEN
}
