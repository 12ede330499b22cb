import { reveal, Secret } from '@caretaker/kernel/secrets.ts'
import { describe, expect, it } from 'vitest'
import { serviceNamed } from './application.ts'
import { parseApplication } from './parse.ts'
import { serviceEnvironment, type WiringFacts, wiringNames } from './wiring.ts'

const app = parseApplication({
  name: 'demo',
  file: 'compose.yml',
  text: `
services:
  web-site:
    build: .
    command: [node, server.js]
    environment: {BANNER: live, API_KEY: , DB: "\${DATABASE_URL}?ssl=off", LINK: "\${PUBLIC_URL}/start", TOKEN: "v1:\${API_KEY}"}
    volumes: [files:/data, thumb-nails:/cache]
    secrets: [session_key]
    depends_on: [search]
  search:
    build: .
    command: [node, search.js]
    expose: [4000]
  worker: {build: ., command: [node, worker.js]}
volumes: {files: , thumb-nails: }
secrets: {session_key: {external: true}}
x-caretaker:
  version: "1"
  web: {service: web-site, port: 3000, health: /}
  database: {}
  data: [files]
  volatile: [thumb-nails]
`,
  environment: {},
  secrets: { session_key: 'a', API_KEY: 'b' },
})

const facts: WiringFacts = {
  publicUrl: 'https://demo.example',
  timeZone: 'Europe/Berlin',
  home: '/state/home',
  path: '/node/bin:/usr/bin',
  database: {
    host: '/run/pg',
    port: 5432,
    user: 'demo',
    password: new Secret('db', 'p@ss/word'),
    database: 'demo',
  },
  listenPorts: { 'web-site': 41_001, search: 41_002 },
  urls: { 'web-site': 'http://127.0.0.1:41001', search: 'http://127.0.0.1:41002' },
  volumePaths: { files: '/data/files', 'thumb-nails': '/volatile/thumbs' },
  secretFiles: { session_key: '/run/secrets/session_key' },
  secrets: { API_KEY: new Secret('API_KEY', 'key-canary') },
  environment: {},
}

function environmentOf(service: string, more: Partial<WiringFacts> = {}): Record<string, string> {
  const environment = serviceEnvironment(app, serviceNamed(app, service), { ...facts, ...more })
  return Object.fromEntries(Object.entries(environment).map(([name, value]) => [name, reveal(value)]))
}

describe('wiring', () => {
  it('gives a service everything it needs and nothing else', () => {
    expect(environmentOf('web-site')).toEqual({
      BANNER: 'live',
      DB: 'postgresql://demo:p%40ss%2Fword@localhost:5432/demo?host=%2Frun%2Fpg?ssl=off',
      LINK: 'https://demo.example/start',
      TOKEN: 'v1:key-canary',
      API_KEY: 'key-canary',
      DATABASE_URL: 'postgresql://demo:p%40ss%2Fword@localhost:5432/demo?host=%2Frun%2Fpg',
      PGHOST: '/run/pg',
      PGPORT: '5432',
      PGUSER: 'demo',
      PGPASSWORD: 'p@ss/word',
      PGDATABASE: 'demo',
      DATA_DIR_FILES: '/data/files',
      VOLATILE_DIR_THUMB_NAILS: '/volatile/thumbs',
      SESSION_KEY_FILE: '/run/secrets/session_key',
      SEARCH_URL: 'http://127.0.0.1:41002',
      PORT: '41001',
      PUBLIC_URL: 'https://demo.example',
      TZ: 'Europe/Berlin',
      WEB_SITE_URL: 'http://127.0.0.1:41001',
      HOME: '/state/home',
      PATH: '/node/bin:/usr/bin',
    })
  })

  it('gives volumes and secrets to those that ask for them, and a port to those that listen', () => {
    const worker = environmentOf('worker')
    expect(worker.WEB_SITE_URL).toBe('http://127.0.0.1:41001')
    expect(Object.keys(worker).filter((name) => /DIR|_FILE|^PORT$|API_KEY/.test(name))).toEqual([])
  })

  it('keeps passwords out of what is printed', () => {
    const printed = JSON.stringify(serviceEnvironment(app, serviceNamed(app, 'web-site'), facts))
    expect(printed).not.toMatch(/p@ss|p%40ss|canary/)
  })

  it('changes declared variables in a clone, never the wiring', () => {
    const clone = environmentOf('web-site', { environment: { BANNER: 'clone', PORT: '1', OTHER: 'x' } })
    expect([clone.BANNER, clone.PORT, clone.OTHER]).toEqual(['clone', '41001', undefined])
  })

  it('names in advance every variable it sets', () => {
    const names = wiringNames(app).map(([name]) => name)
    const declared = ['BANNER', 'API_KEY', 'DB', 'LINK', 'TOKEN']
    expect(
      Object.keys(environmentOf('web-site')).filter(
        (name) => !declared.includes(name) && !names.includes(name),
      ),
    ).toEqual([])
  })

  it('puts what it sets, and secrets, into the texts that name them; what holds a secret is one', () => {
    const environment = serviceEnvironment(app, serviceNamed(app, 'web-site'), facts)
    expect(environment['LINK']).toBe('https://demo.example/start')
    expect(environment['DB']).toBeInstanceOf(Secret)
    expect(environment['TOKEN']).toBeInstanceOf(Secret)
    const { DB, TOKEN, DATABASE_URL } = environmentOf('web-site')
    expect(DB).toBe(`${DATABASE_URL}?ssl=off`)
    expect(TOKEN).toBe('v1:key-canary')
  })

  it('lets a clone replace such a text', () => {
    expect(environmentOf('web-site', { environment: { LINK: 'other' } })['LINK']).toBe('other')
  })
})
