import type { ErrorReport } from '@caretaker/kernel/errors.ts'
import { DAY_MS, HOUR_MS, MINUTE_MS } from '@caretaker/kernel/time.ts'
import { describe, expect, test } from 'vitest'
import type { AcmeFailureKind } from './failure.ts'
import { afterFailure, isWaiting, type Retry } from './retry.ts'

const START = Date.parse('2026-11-20T09:00:00Z')
const error: ErrorReport = { code: 'ACME_DOMAIN_FAILED', what: 'a', why: 'b', next: 'c', exit_code: 3 }
const fail = (before: Retry | undefined, kind: AcmeFailureKind, atMs: number, retryAfterMs?: number) =>
  afterFailure(before, { kind, retryAfterMs, error }, new Date(atMs))

/** The instants at which a certificate is tried that fails every time, in ms from the first. */
function triesWithin(kind: AcmeFailureKind, limitMs: number): number[] {
  const tries: number[] = []
  let retry: Retry | undefined
  for (let atMs = START; atMs < START + limitMs; atMs += MINUTE_MS) {
    if (isWaiting(retry, new Date(atMs))) continue
    tries.push(atMs - START)
    retry = fail(retry, kind, atMs)
  }
  return tries
}

describe('a domain that fails every time', () => {
  const tries = triesWithin('domain', 20 * DAY_MS)

  test('is tried at most three times in any hour: the limit is five', () => {
    for (const at of tries)
      expect(tries.filter((other) => other >= at && other < at + HOUR_MS).length).toBeLessThan(4)
  })

  test('is tried once a day in the end, and never given up', () => {
    expect(tries.slice(0, 4)).toEqual([0, 15, 45, 105].map((minutes) => minutes * MINUTE_MS))
    expect((tries.at(-1) ?? 0) - (tries.at(-2) ?? 0)).toBe(DAY_MS)
    expect(tries.at(-1)).toBeGreaterThan(18 * DAY_MS)
  })
})

test('a server that is away is asked at least once an hour', () => {
  const tries = triesWithin('unreachable', 2 * DAY_MS)
  expect(tries[1]).toBe(MINUTE_MS)
  for (const [index, at] of tries.slice(1).entries())
    expect(at - (tries[index] ?? 0)).toBeLessThanOrEqual(HOUR_MS)
})

test('the time that the server names is waited for, longer or shorter than ours', () => {
  expect(fail(undefined, 'limited', START, 5 * DAY_MS).notBefore).toBe('2026-11-25T09:00:00.000Z')
  expect(fail(undefined, 'limited', START, 10_000).notBefore).toBe('2026-11-20T09:00:10.000Z')
  expect(fail(undefined, 'limited', START).notBefore).toBe('2026-11-20T10:00:00.000Z')
  expect(fail(undefined, 'unreachable', START, 2 * HOUR_MS).notBefore).toBe('2026-11-20T11:00:00.000Z')
  expect(fail(undefined, 'unreachable', START, 1).notBefore).toBe('2026-11-20T09:01:00.000Z')
})

test('another kind of failure counts anew', () => {
  let retry = fail(undefined, 'unreachable', START)
  for (let count = 0; count < 10; count += 1) retry = fail(retry, 'unreachable', START)
  expect(fail(retry, 'domain', START)).toMatchObject({ failures: 1, notBefore: '2026-11-20T09:15:00.000Z' })
})

test('a clock that is set back does not make it wait for ever, one set forward lets it try', () => {
  const retry = fail(undefined, 'domain', START)
  expect(isWaiting(retry, new Date(START + MINUTE_MS))).toBe(true)
  expect(isWaiting(retry, new Date(START - 400 * DAY_MS))).toBe(false)
  expect(isWaiting(retry, new Date(START + 400 * DAY_MS))).toBe(false)
  expect(isWaiting(undefined, new Date(START))).toBe(false)
})
