import { readFileSync, writeFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { gatewayPaths } from '../gateway.ts'
import type { GatewayConfig } from '../gateway-config.ts'
import { caddyConfig } from './caddy-config.ts'

const LIMITS = { maxHeaderBytes: 32_768, headersTimeoutMs: 15_000, keepAliveMs: 65_000 }
const SECRET = { token: 'f'.repeat(64), port: 23_456 }
const PLACES = gatewayPaths('/var/lib/caretaker', '/run/caretaker').caddy
const EVERYWHERE: GatewayConfig = {
  applianceId: 'lab',
  engine: 'caddy',
  http: { host: '0.0.0.0', port: 80 },
  https: { host: '0.0.0.0', port: 443 },
  certificates: [],
  routes: [],
  trustedProxies: [],
}

const make = (changes: Partial<GatewayConfig> = {}) =>
  caddyConfig({ ...EVERYWHERE, ...changes }, PLACES, SECRET, LIMITS)

describe('the config of Caddy', () => {
  test.each<[string, Partial<GatewayConfig>]>([
    ['both-ports', {}],
    ['https-only-ipv6', { http: undefined, https: { host: '::', port: 8443 } }],
    ['proxy-protocol', { proxyProtocol: true, trustedProxies: ['128.0.0.0/1', '8000::/1'] }],
  ])('%s (UPDATE_GOLDENS=1 writes what comes out; review the diff)', (name, changes) => {
    const path = new URL(`cases/${name}.json`, import.meta.url)
    if (process.env.UPDATE_GOLDENS) writeFileSync(path, `${JSON.stringify(make(changes), null, 2)}\n`)
    expect(make(changes)).toEqual(JSON.parse(readFileSync(path, 'utf8')))
  })

  test('does not change with routes, certificates, service mode or trusted proxies', () => {
    const changed = make({
      routes: [{ app: 'wiki', hosts: ['wiki.example.org'], aliases: [], maxHoldMs: 1 }],
      certificates: [{ hosts: ['wiki.example.org'], certificateFile: '/a.crt', keyFile: '/a.key' }],
      service: { code: 'UPDATE', reason: 'An update.', since: '2026-11-20T09:00:00Z' },
      trustedProxies: ['10.0.0.0/8'],
    })
    expect(changed).toEqual(make())
  })
})
