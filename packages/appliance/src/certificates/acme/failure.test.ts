import { AppError } from '@caretaker/kernel/errors.ts'
import { expect, test } from 'vitest'
import { acmeFailure, OrderGone, ProofFailed } from './failure.ts'
import { AcmeProblem, AcmeUnreachable } from './problem.ts'

const DIRECTORY = 'https://ca.example/dir'
const HOSTS = ['shop.example.org']

const problem = (status: number, type: string, more: Partial<AcmeProblem> = {}) =>
  new AcmeProblem({
    status,
    type,
    detail: 'what it said',
    subproblems: [],
    retryAfterMs: undefined,
    url: `${DIRECTORY}/order`,
    ...more,
  })
const of = (cause: unknown, hosts: readonly string[] = HOSTS) => acmeFailure(cause, hosts, DIRECTORY)

test.each<[string, unknown, string, string, boolean]>([
  ['nobody answers', new AcmeUnreachable('ECONNREFUSED', undefined), 'unreachable', 'ACME_UNREACHABLE', true],
  ['trouble of the server', problem(503, 'serverInternal'), 'unreachable', 'ACME_UNREACHABLE', true],
  ['a limit for this name', problem(429, 'rateLimited'), 'limited', 'ACME_RATE_LIMITED', false],
  ['a limit in front of the server', problem(429, ''), 'limited', 'ACME_RATE_LIMITED', true],
  ['an order that is gone', problem(404, 'malformed'), 'stale', 'ACME_ORDER_EXPIRED', false],
  ['an order that ended', new OrderGone('invalid'), 'stale', 'ACME_ORDER_EXPIRED', false],
  ['an account that is gone', problem(400, 'accountDoesNotExist'), 'stale', 'ACME_ORDER_EXPIRED', false],
  ['a name that is refused', problem(403, 'rejectedIdentifier'), 'domain', 'ACME_DOMAIN_FAILED', false],
  ['anything else', problem(403, 'unauthorized'), 'refused', 'ACME_REFUSED', false],
  ['no ACME server', new Error('Unable to locate API resource'), 'refused', 'ACME_REFUSED', false],
])('%s', (_name, cause, kind, code, concernsAll) => {
  const failure = of(cause)
  expect(failure).toMatchObject({ kind, concernsAll })
  expect(failure.error.code).toBe(code)
  expect(failure.error.what).toContain('shop.example.org')
  expect(failure.error.next).not.toBe('')
})

test('names what the server said of each domain that failed', () => {
  const detail = 'Connection refused'
  const failed = [{ host: 'shop.example.org', problem: { type: 'connection', detail, subproblems: [] } }]
  expect(of(new ProofFailed(failed)).error.why).toBe('shop.example.org: Connection refused')
})

test('names which of several names an order was refused for', () => {
  const subproblems = [{ type: 'caa', detail: 'CAA forbids it', identifier: 'www.example.org' }]
  expect(of(problem(403, 'caa', { subproblems })).error.why).toBe(
    'what it said; www.example.org: CAA forbids it',
  )
})

test('keeps how long the server asks to wait', () => {
  expect(of(problem(429, 'rateLimited', { retryAfterMs: 5000 })).retryAfterMs).toBe(5000)
  expect(of(problem(503, '', { retryAfterMs: 7000 })).retryAfterMs).toBe(7000)
})

test('what fails for the account fails for every certificate', () => {
  expect(of(problem(403, 'externalAccountRequired'), [])).toMatchObject({
    kind: 'refused',
    concernsAll: true,
  })
})

test('an error that says its own next step is kept', () => {
  const error = new AppError('ACME_DNS_FAILED', { what: 'a', why: 'b', next: 'c' })
  expect(of(error)).toMatchObject({ kind: 'refused', error })
})
