import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { localTime, PAGES, renderPage, servicePage } from './service-page.ts'

const now = new Date('2026-11-20T09:00:00Z')
const reason = { code: 'UPDATE', reason: '<script>alert(1)</script>', since: '2026-11-20T08:55:00Z' }
const ask = { method: 'GET', accept: undefined, requestId: 'id-12345' }

describe('service page', () => {
  test('nothing of the reason is markup', () => {
    const { body } = renderPage(servicePage(reason, now), ask)
    expect(body).toContain('&lt;script&gt;alert(1)&lt;/script&gt;')
    expect(body).not.toContain('<script')
  })

  test('its style is the only thing the policy lets in', () => {
    const { body, headers } = renderPage(servicePage(reason, now), ask)
    const style = /<style>([^]*)<\/style>/.exec(body)?.[1] as string
    const hash = createHash('sha256').update(style).digest('base64')
    expect(headers['content-security-policy']).toContain(`default-src 'none'; style-src 'sha256-${hash}'`)
  })

  test('a planned end is shown and says when to come back', () => {
    const page = servicePage({ ...reason, until: '2026-11-20T09:10:00Z' }, now)
    const { body, headers } = renderPage(page, ask)
    expect(headers['retry-after']).toBe('600')
    expect(body).toContain('Planned end')
    expect(
      renderPage(servicePage({ ...reason, until: '2026-11-20T08:59:00Z' }, now), ask).headers['retry-after'],
    ).toBe('30')
  })

  test.each([
    ['ahead over the planned end', '2026-11-21T09:00:00Z', '30'],
    ['back by a day', '2026-11-19T09:00:00Z', String(24 * 3600 + 600)],
  ])('a clock set %s gives no time in the past', (_name, at, expected) => {
    const page = servicePage({ ...reason, until: '2026-11-20T09:10:00Z' }, new Date(at))
    expect(renderPage(page, ask).headers['retry-after']).toBe(expected)
  })

  test('a title of its own takes the place of the usual one', () => {
    expect(renderPage(servicePage({ ...reason, title: 'Back on Monday' }, now), ask).body).toContain(
      '<title>Back on Monday</title>',
    )
  })

  test('what will not change by waiting does not reload', () => {
    const { body, headers } = renderPage(PAGES.unknownHost, ask)
    expect(body).not.toContain('http-equiv="refresh"')
    expect(headers['retry-after']).toBeUndefined()
  })

  test.each([
    [undefined, 'text/html'],
    ['*/*', 'text/html'],
    ['text/html,application/xhtml+xml,*/*;q=0.8', 'text/html'],
    ['application/json', 'application/json'],
    ['application/json, text/plain, */*', 'application/json'],
    ['text/html;q=0.5, application/json', 'application/json'],
    ['application/json;q=0, text/html', 'text/html'],
  ])('Accept: %s gets %s', (accept, type) => {
    const { headers } = renderPage(servicePage(reason, now), { ...ask, accept })
    expect(headers['content-type']).toContain(type)
  })

  test('the length is that of the body in bytes, and HEAD tells it too', () => {
    const page = servicePage({ ...reason, reason: 'Größere Änderung' }, now)
    const full = renderPage(page, ask)
    expect(Number(full.headers['content-length'])).toBe(Buffer.byteLength(full.body))
    expect(renderPage(page, { ...ask, method: 'HEAD' })).toEqual({ ...full, body: '' })
  })

  test('times are written with their offset', () => {
    expect(localTime(now)).toMatch(/^2026-11-2\d \d\d:\d\d [+-]\d\d:\d\d$/)
  })
})
