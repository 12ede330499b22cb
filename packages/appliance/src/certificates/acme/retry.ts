import type { ErrorReport } from '@caretaker/kernel/errors.ts'
import { DAY_MS, HOUR_MS, MINUTE_MS } from '@caretaker/kernel/time.ts'
import type { AcmeFailureKind } from './failure.ts'

/** What is remembered of failed tries, over restarts. Instants in ISO 8601. */
export interface Retry {
  readonly kind: AcmeFailureKind
  /** In a row, of this kind. */
  readonly failures: number
  readonly triedAt: string
  readonly notBefore: string
  readonly error: ErrorReport
}

/**
 * The wait after the first failure and the longest one; it doubles in between. Failed proofs are limited to 5 an hour
 * (Let's Encrypt, 2025): after 15, 30, 60 minutes … there are at most three. What passes by itself is asked sooner.
 */
const WAITS: Readonly<Record<AcmeFailureKind, readonly [firstMs: number, longestMs: number]>> = {
  unreachable: [MINUTE_MS, HOUR_MS],
  stale: [MINUTE_MS, HOUR_MS],
  limited: [HOUR_MS, DAY_MS],
  domain: [15 * MINUTE_MS, DAY_MS],
  refused: [15 * MINUTE_MS, DAY_MS],
}

/** What is remembered after one more failure. What the server asked to wait counts, and is never cut short. Pure. */
export function afterFailure(
  before: Retry | undefined,
  failure: {
    readonly kind: AcmeFailureKind
    readonly retryAfterMs: number | undefined
    readonly error: ErrorReport
  },
  now: Date,
): Retry {
  const { kind, retryAfterMs, error } = failure
  const failures = before?.kind === kind ? before.failures + 1 : 1
  const [firstMs, longestMs] = WAITS[kind]
  const ownMs = Math.min(firstMs * 2 ** Math.min(failures - 1, 30), longestMs)
  const waitMs = kind === 'limited' ? (retryAfterMs ?? ownMs) : Math.max(ownMs, retryAfterMs ?? 0)
  return {
    kind,
    failures,
    triedAt: now.toISOString(),
    notBefore: new Date(now.getTime() + waitMs).toISOString(),
    error,
  }
}

/**
 * Whether the next try has to wait. A clock that was set back before the last try does not make it wait longer: that
 * try lies in the future and is taken for none. Pure.
 */
export function isWaiting(retry: Retry | undefined, now: Date): boolean {
  if (!retry) return false
  const nowMs = now.getTime()
  return nowMs >= Date.parse(retry.triedAt) && nowMs < Date.parse(retry.notBefore)
}
