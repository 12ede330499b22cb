import { describe, expect, test } from 'vitest'
import type { Route } from './gateway-config.ts'
import { compileRoutes, decide, httpsUrl, parseHost, parseTarget } from './routing.ts'

const route = (app: string, changes: Partial<Route> = {}): Route => ({
  app,
  hosts: [`${app}.example.org`],
  aliases: [],
  upstream: { host: '127.0.0.1', port: 3000 },
  maxHoldMs: 1000,
  ...changes,
})

describe('host names', () => {
  test.each([
    ['Example.ORG', 'example.org'],
    ['example.org:8443', 'example.org'],
    ['example.org.', 'example.org'],
    ['example.org.:443', 'example.org'],
    ['[::1]:8443', '::1'],
    ['127.0.0.1', '127.0.0.1'],
    [undefined, undefined],
    ['', undefined],
    ['a b', undefined],
    ['user@example.org', undefined],
    ['example.org/x', undefined],
    ['example.org:port', undefined],
    ['example.org:65536', undefined],
  ])('%s is %s', (header, host) => {
    expect(parseHost(header)).toBe(host)
  })

  test('the host of a whole URL counts more than the header', () => {
    expect(parseTarget('https://a.example?x', 'b.example')).toEqual({
      host: 'a.example',
      authority: 'a.example',
      path: '/?x',
    })
    expect(parseTarget('/x', 'B.example.:80')).toEqual({
      host: 'b.example',
      authority: 'B.example.:80',
      path: '/x',
    })
    expect(parseTarget('/x#y', 'b.example')).toBeUndefined()
    expect(parseTarget('*', 'b.example')).toBeUndefined()
    expect(parseTarget('https://user:word@a.example/', 'b.example')).toBeUndefined()
  })
})

describe('decisions', () => {
  const table = compileRoutes({
    routes: [
      route('shop', { aliases: ['www.example.org'] }),
      route('wiki', { hosts: ['shop.example.org'], pathPrefix: '/wiki' }),
      route('old', { hosts: ['shop.example.org'], pathPrefix: '/wiki/old', upstream: undefined }),
    ],
  })
  const ask = (host: string, path: string, secure = true) => {
    const decision = decide(table, { host, path, secure })
    return decision.kind === 'forward' ? decision.route.app : decision.kind
  }

  test.each([
    ['/', 'shop'],
    ['/wiki', 'wiki'],
    ['/wiki?a=1', 'wiki'],
    ['/wiki/page', 'wiki'],
    ['/wikipedia', 'shop'],
    ['/wiki/old/page', 'service'],
  ])('%s belongs to %s', (path, app) => {
    expect(ask('shop.example.org', path)).toBe(app)
  })

  test('plain HTTP is redirected, except to a service page', () => {
    expect(ask('shop.example.org', '/', false)).toBe('redirect')
    expect(ask('shop.example.org', '/wiki/old', false)).toBe('service')
    expect(ask('nobody.example.org', '/', false)).toBe('unknown-host')
  })

  test('an alias leads to the first host', () => {
    expect(decide(table, { host: 'www.example.org', path: '/', secure: false })).toEqual({
      kind: 'redirect',
      host: 'shop.example.org',
    })
  })

  test('the usual port is not written', () => {
    expect(httpsUrl('example.org', 443, '/a')).toBe('https://example.org/a')
    expect(httpsUrl('::1', 8443, '/a')).toBe('https://[::1]:8443/a')
  })
})
