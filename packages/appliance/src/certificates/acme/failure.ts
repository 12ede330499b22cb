import type { ErrorCode } from '@caretaker/kernel/error-codes.ts'
import { AppError, isAppError, messageOf } from '@caretaker/kernel/errors.ts'
import { AcmeProblem, AcmeUnreachable, type ProblemDocument } from './problem.ts'

/** The order can lead to no certificate any more: it has ended, or the server does not know it. */
export class OrderGone extends Error {
  constructor(status: string) {
    super(`the order is ${status}`)
  }
}

/** The server looked, and host names were not proved. */
export class ProofFailed extends Error {
  readonly failed: readonly { readonly host: string; readonly problem: ProblemDocument | undefined }[]

  constructor(failed: ProofFailed['failed']) {
    super('the proof failed')
    this.failed = failed
  }
}

/**
 * - `unreachable`: nobody answered, or the server has trouble of its own. It passes by itself.
 * - `limited`: the server asks to come later.
 * - `stale`: order or account are gone; a new one can be had at once.
 * - `domain`: host names were not proved or are not accepted: a person has to do something.
 * - `refused`: the server, or the program that sets DNS records, refused; a person has to do something.
 */
export type AcmeFailureKind = 'unreachable' | 'limited' | 'stale' | 'domain' | 'refused'

export interface AcmeFailure {
  readonly kind: AcmeFailureKind
  readonly error: AppError
  readonly retryAfterMs: number | undefined
  /** Whether the next certificate would meet the same. */
  readonly concernsAll: boolean
}

/** Refusals that concern names in the order (RFC 8555, 6.7). */
const ABOUT_NAMES: ReadonlySet<string> = new Set([
  'caa',
  'connection',
  'dns',
  'incorrectResponse',
  'rejectedIdentifier',
  'tls',
  'unsupportedIdentifier',
])

/** What a failed request for a certificate means. Pure. `hosts` are those it was to be for. */
export function acmeFailure(cause: unknown, hosts: readonly string[], directory: string): AcmeFailure {
  const what =
    hosts.length === 0 ? 'The ACME account was not opened' : `No certificate for ${hosts.join(', ')}`
  const make = (
    kind: AcmeFailureKind,
    code: ErrorCode,
    why: string,
    next: string,
    more: Partial<AcmeFailure> = {},
  ): AcmeFailure => ({
    kind,
    error: new AppError(code, { what, why, next, cause }),
    retryAfterMs: undefined,
    concernsAll: hosts.length === 0,
    ...more,
  })
  if (cause instanceof AcmeUnreachable) {
    const next = `It is tried again by itself; see that this machine reaches ${directory}`
    return make('unreachable', 'ACME_UNREACHABLE', messageOf(cause), next, { concernsAll: true })
  }
  if (cause instanceof OrderGone) {
    return make('stale', 'ACME_ORDER_EXPIRED', messageOf(cause), 'It is ordered anew by itself')
  }
  if (cause instanceof ProofFailed) return make('domain', 'ACME_DOMAIN_FAILED', saidOf(cause), NEXT_DOMAIN)
  if (cause instanceof AcmeProblem) return ofProblem(cause, hosts, make)
  if (isAppError(cause)) {
    return { kind: 'refused', error: cause, retryAfterMs: undefined, concernsAll: hosts.length === 0 }
  }
  return make(
    'refused',
    'ACME_REFUSED',
    `${directory} does not answer as an ACME server: ${messageOf(cause)}`,
    NEXT_REFUSED,
  )
}

const NEXT_DOMAIN =
  'See that every name leads to this machine ("caretaker doctor") and port 80 is open, then "caretaker cert renew --now"'
const NEXT_REFUSED = 'Correct the settings under tls.acme, then "caretaker up"'

function ofProblem(
  problem: AcmeProblem,
  hosts: readonly string[],
  make: (...args: Parameters<MakeFailure>) => AcmeFailure,
): AcmeFailure {
  const { status, type, detail, retryAfterMs, subproblems, url } = problem
  if (type === 'rateLimited' || status === 429) {
    const next = 'It is tried again when the time is over; until then nothing has to be done'
    const concernsAll = hosts.length === 0 || type === ''
    return make('limited', 'ACME_RATE_LIMITED', detail, next, { retryAfterMs, concernsAll })
  }
  if (status >= 500) {
    const next = 'The certificate authority has trouble of its own; it is tried again by itself'
    return make('unreachable', 'ACME_UNREACHABLE', `${url}: ${detail}`, next, {
      retryAfterMs,
      concernsAll: true,
    })
  }
  if (type === 'accountDoesNotExist') {
    return make(
      'stale',
      'ACME_ORDER_EXPIRED',
      `the account is gone: ${detail}`,
      'A new one is opened by itself',
    )
  }
  if (type === 'orderNotReady' || status === 404) {
    return make('stale', 'ACME_ORDER_EXPIRED', detail, 'It is ordered anew by itself')
  }
  if (subproblems.length > 0 || ABOUT_NAMES.has(type)) {
    const said = subproblems.map((entry) => `${entry.identifier ?? 'a name'}: ${entry.detail}`)
    return make('domain', 'ACME_DOMAIN_FAILED', [detail, ...said].join('; '), NEXT_DOMAIN)
  }
  return make('refused', 'ACME_REFUSED', `${type === '' ? status : type}: ${detail}`, NEXT_REFUSED, {
    retryAfterMs,
  })
}

type MakeFailure = (
  kind: AcmeFailureKind,
  code: ErrorCode,
  why: string,
  next: string,
  more?: Partial<AcmeFailure>,
) => AcmeFailure

function saidOf({ failed }: ProofFailed): string {
  return failed.map(({ host, problem }) => `${host}: ${problem?.detail ?? 'it was not proved'}`).join('; ')
}
