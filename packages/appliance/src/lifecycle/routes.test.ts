import { describe, expect, it } from 'vitest'
import { parseConfig } from '../config/parse.ts'
import { configText } from '../config/testing/fixture.ts'
import { parseGatewayConfig } from '../gateway/parse-config.ts'
import type { AppRecord } from './app-records.ts'
import { type ApplianceState, deriveState } from './appliance-state.ts'
import { certificateNames, gatewayConfig, type RoutedApp } from './routes.ts'

const NOW = '2026-01-02T00:00:00.000Z'
const AT = '2026-01-01T00:00:00.000Z'
const { config } = parseConfig(
  configText([
    'applications:',
    '  shop:',
    '    source: ./shop',
    '    hosts: [shop.example.org, example.org]',
    '    aliases: [www.example.org]',
    '  wiki:',
    '    source: ./wiki',
    '    hosts: [tools.example.org]',
    '    path_prefix: /wiki',
  ]),
  'appliance.yml',
)
const RUNNING: ApplianceState = {
  state: 'running',
  code: 'OK',
  what: '',
  reason: '',
  next: '',
  since: undefined,
  until: undefined,
  serving: true,
  parts: [],
}

function routed(app: string, webPort: number | undefined, stopped = false): RoutedApp {
  const record: AppRecord = {
    app,
    releaseId: '1',
    pinned: undefined,
    since: AT,
    slot: 'a',
    ports: {},
    databaseCreated: true,
    completed: {},
    stopped,
  }
  return { app, record, upstream: webPort === undefined ? undefined : { host: '127.0.0.1', port: webPort } }
}

const CERTIFICATES = [
  { hosts: ['shop.example.org'], certificateFile: '/certs/app-shop.crt', keyFile: '/certs/app-shop.key' },
]
const BOTH = [routed('shop', 4000), routed('wiki', 4001)]
const configFor = (state: ApplianceState, apps = BOTH) =>
  gatewayConfig(config, CERTIFICATES, state, apps, NOW)

describe('gatewayConfig', () => {
  it('hands every host and prefix to the port of its application', () => {
    const { routes, service } = configFor(RUNNING)
    expect(service).toBeUndefined()
    expect(routes).toMatchObject([
      {
        app: 'shop',
        hosts: ['shop.example.org', 'example.org'],
        aliases: ['www.example.org'],
        upstream: { host: '127.0.0.1', port: 4000 },
      },
      { app: 'wiki', hosts: ['tools.example.org'], pathPrefix: '/wiki', upstream: { port: 4001 } },
    ])
    expect(routes[0]).not.toHaveProperty('pathPrefix')
    expect(routes[0]).not.toHaveProperty('reason')
  })

  it('names a certificate for the appliance and one for each application, aliases included', () => {
    expect(certificateNames(config).map(({ name }) => name)).toEqual(['appliance', 'app-shop', 'app-wiki'])
    expect(certificateNames(config)[1]?.hosts).toEqual(['shop.example.org', 'example.org', 'www.example.org'])
    expect(configFor(RUNNING).certificates).toEqual(CERTIFICATES)
    for (const { hosts } of certificateNames(config)) expect(new Set(hosts).size).toBe(hosts.length)
  })

  it.each<[string, RoutedApp, ApplianceState, object]>([
    ['never started', routed('shop', undefined), RUNNING, { code: 'APP_NOT_STARTED', since: NOW }],
    ['stopped', routed('shop', undefined, true), RUNNING, { code: 'APP_STOPPED', since: AT }],
    ['stopped but still there', routed('shop', 4000, true), RUNNING, { code: 'APP_STOPPED' }],
    [
      'failed',
      routed('shop', undefined),
      { ...RUNNING, parts: [{ part: 'shop', code: 'SMOKE_FAILED', reason: 'no', next: 'up', since: AT }] },
      { code: 'SMOKE_FAILED', reason: 'no', since: AT },
    ],
  ])('gives the reason of an application that is %s, and no upstream', (_name, app, state, reason) => {
    const [route, other] = configFor(state, [app, routed('wiki', 4001)]).routes
    expect(route?.reason).toMatchObject(reason)
    expect(route).not.toHaveProperty('upstream')
    expect(other).toHaveProperty('upstream')
  })

  it('goes on serving an application of which a part has failed', () => {
    const parts = [{ part: 'shop', code: 'SERVICE_CRASH_LOOP', reason: 'worker', next: '', since: AT }]
    expect(configFor({ ...RUNNING, state: 'degraded', parts }).routes[0]).toMatchObject({
      upstream: { port: 4000 },
    })
  })

  it('puts the whole in service mode with reason and planned end when nothing is served', () => {
    const until = '2026-01-03T00:00:00.000Z'
    const state = { ...RUNNING, state: 'manual-service', serving: false, code: 'MANUAL_SERVICE' } as const
    const { service } = configFor({ ...state, what: 'Moving', reason: 'Moving', since: AT, until })
    expect(service).toMatchObject({ code: 'MANUAL_SERVICE', reason: 'Moving', since: AT, until })
    expect(configFor({ ...state, what: 'why' }).service?.since).toBe(NOW)
  })

  it('tells visitors what failed, and nothing of the inside of the machine', () => {
    const failure = {
      code: 'POSTGRES_START_FAILED',
      what: 'Postgres of shop does not serve',
      why: 'its process ended; its log ends with: starting PostgreSQL 18.1 | could not open "/srv/data/base/5": pid 42',
      next: 'Look at /var/lib/caretaker/logs/shop/postgres.log',
      exit_code: 5,
      since: AT,
    } as const
    const around = { standby: false, apps: [{ app: 'shop', served: false }], problems: [] } as const
    const facts = { wanted: 'up', startedBefore: true, manual: undefined, activity: undefined } as const
    for (const part of ['shop', 'appliance']) {
      const state = deriveState({ ...facts, failures: { [part]: failure } }, around)
      expect(state.reason).toContain('could not open "/srv/data/base/5"')
      const { service, routes } = configFor(state, [routed('shop', undefined)])
      const said = part === 'shop' ? 'shop: Postgres of shop does not serve' : failure.what
      expect(service).toMatchObject({ code: failure.code, reason: said })
      expect(routes.every(({ reason }) => !/\/srv|pid|18\.1/.test(reason?.reason ?? ''))).toBe(true)
    }
  })

  it('is always one that the gateway takes', () => {
    const parts = [{ part: 'shop', code: 'INTERNAL', reason: '<b>', next: 'y'.repeat(5000), since: AT }]
    const states: ApplianceState[] = [RUNNING, { ...RUNNING, serving: false, code: 'NOTHING_RUNS', parts }]
    for (const state of states)
      for (const apps of [BOTH, [], [routed('shop', undefined)]])
        expect(() => parseGatewayConfig(configFor(state, apps))).not.toThrow()
  })
})
