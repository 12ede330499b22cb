import type { ErrorReport } from '@caretaker/kernel/errors.ts'
import { expect, test } from 'vitest'
import { afterFailure } from './acme/retry.ts'
import type { CertificateState } from './acme/state.ts'
import { decideDue } from './due.ts'
import { candidate, inDays, NOW } from './testing.fixture.ts'

const wanted = { name: 'app-shop', hosts: ['shop.example.org'] }
const empty: CertificateState = { certificates: {}, provided: {} }
const acme = await candidate('acme', 'app-shop', wanted.hosts, NOW, 90)
const error: ErrorReport = { code: 'ACME_UNREACHABLE', what: 'a', why: 'b', next: 'c', exit_code: 3 }

test('is due when there is none, when a third of its life is left, and when names are added', () => {
  expect(decideDue(wanted, [], empty, NOW, false)).toMatchObject({ action: 'get', because: 'there is none' })
  expect(decideDue(wanted, [acme], empty, inDays(59), false)).toEqual({ action: 'keep' })
  expect(decideDue(wanted, [acme], empty, inDays(61), false)).toMatchObject({
    action: 'get',
    because: 'a third of its lifetime is left',
  })
  const more = { ...wanted, hosts: [...wanted.hosts, 'www.example.org'] }
  expect(decideDue(more, [acme], empty, NOW, false)).toMatchObject({
    action: 'get',
    because: 'its names changed',
  })
})

test('waits after a failure, of its own or of the whole server; a person does not', () => {
  const retry = afterFailure(undefined, { kind: 'unreachable', retryAfterMs: undefined, error }, NOW)
  for (const state of [
    { ...empty, directory: retry },
    { ...empty, certificates: { 'app-shop': { retry } } },
  ]) {
    expect(decideDue(wanted, [], state, NOW, false)).toMatchObject({ action: 'wait', until: retry.notBefore })
    expect(decideDue(wanted, [], state, NOW, true)).toMatchObject({ action: 'get', because: 'asked for' })
    expect(decideDue(wanted, [], state, inDays(1), false)).toMatchObject({ action: 'get' })
  }
  const other = { ...empty, certificates: { 'app-wiki': { retry } } }
  expect(decideDue(wanted, [], other, NOW, false)).toMatchObject({ action: 'get' })
})

test('what the server has named is waited for, even when a person asks', () => {
  const retry = afterFailure(undefined, { kind: 'limited', retryAfterMs: 3_600_000, error }, NOW)
  const state = { ...empty, certificates: { 'app-shop': { retry } } }
  expect(decideDue(wanted, [acme], state, NOW, true)).toMatchObject({
    action: 'wait',
    until: retry.notBefore,
  })
})

test('a clock that runs ahead does not order one after the other', () => {
  const at = inDays(80)
  const state = { ...empty, certificates: { 'app-shop': { obtainedAt: at.toISOString() } } }
  expect(decideDue(wanted, [acme], state, inDays(81), false)).toEqual({ action: 'keep' })
  expect(decideDue(wanted, [acme], state, inDays(80 + 16), false)).toMatchObject({ action: 'get' })
})
