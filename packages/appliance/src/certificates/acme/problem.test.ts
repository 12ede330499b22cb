import { expect, test } from 'vitest'
import { AcmeProblem, parseRetryAfter } from './problem.ts'

const now = new Date('2026-11-20T09:00:00Z')

test.each([
  ['120', 120_000],
  ['0', 0],
  ['Fri, 20 Nov 2026 10:00:00 GMT', 3_600_000],
  ['Fri, 20 Nov 2026 08:00:00 GMT', 0],
  ['99999999999', 31 * 24 * 3_600_000],
  ['soon', undefined],
  [undefined, undefined],
])('Retry-After %s asks to wait %s ms', (header, expected) => {
  expect(parseRetryAfter(header, now)).toBe(expected)
})

test('a problem document gives its type, what was said, and which name it is about', () => {
  const body = JSON.stringify({
    type: 'urn:ietf:params:acme:error:malformed',
    detail: 'Some of the identifiers\nwere rejected',
    subproblems: [
      {
        type: 'urn:ietf:params:acme:error:caa',
        detail: 'CAA forbids it',
        identifier: { type: 'dns', value: 'shop.example.org' },
      },
    ],
  })
  expect(AcmeProblem.of(403, body, undefined, 'https://ca.example/order')).toMatchObject({
    type: 'malformed',
    detail: 'Some of the identifiers were rejected',
    subproblems: [{ type: 'caa', detail: 'CAA forbids it', identifier: 'shop.example.org' }],
  })
})

test('a page of a proxy is said as text, without its markup, and not at any length', () => {
  const page = `<html><h1>502 Bad Gateway</h1>${'x'.repeat(5000)}</html>`
  const problem = AcmeProblem.of(502, page, undefined, 'https://ca.example/')
  expect(problem).toMatchObject({ type: '', status: 502, subproblems: [] })
  expect(problem.detail).toMatch(/^502 Bad Gateway x+…$/)
  expect(problem.detail.length).toBeLessThan(700)
})

test('an empty answer still says something', () => {
  expect(AcmeProblem.of(500, '', undefined, '').detail).toBe('the answer was 500 without a reason')
})
