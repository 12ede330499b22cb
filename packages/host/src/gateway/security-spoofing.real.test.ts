import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type AttackedGateway, ask, startAttackedGateway } from './security.fixture.ts'

let attacked: AttackedGateway
beforeAll(async () => {
  attacked = await startAttackedGateway()
})
afterAll(() => attacked.close())
beforeEach(() => attacked.apply({}))

/** The header fields the application gets for these, each line as it came. */
async function fieldsFor(fields: readonly string[]): Promise<readonly string[]> {
  attacked.upstream.received.length = 0
  await attacked.send(ask('GET', '/p', fields.map((field) => `${field}\r\n`).join('')))
  return attacked.upstream.received.join('').split('\r\n').slice(1)
}

const told = (fields: readonly string[], name: string): string[] =>
  fields
    .filter((field) => field.toLowerCase().startsWith(`${name}: `))
    .map((field) => field.split(': ')[1] as string)

const FORGED = `
  X-Forwarded-For X-Forwarded-Proto X-Forwarded-Host X-Forwarded-Port X-Forwarded-Server X-Forwarded-Prefix X-Forwarded-User X-Forwarded-Email X-Forwarded-Client-Cert X-Forwarded-Ssl X-Forwarded
  Forwarded X-Real-IP X-Client-IP Client-IP True-Client-IP X-Cluster-Client-IP CF-Connecting-IP
  Fastly-Client-IP X-Original-Forwarded-For X-Original-URL X-Rewrite-URL X-Original-Host X-Host
  X-Scheme X-Url-Scheme Front-End-Https Remote-User X-Remote-User X-SSL-Client-Verify X-SSL-Client-Serial X-SSL-Client-Subject X-SSL-Client-Email SSL-Client-Cert X-SSL-Client-Anything X-Client-Verify
  X-Request-Id Proxy Forwarded-For CF-Connecting-IPv6 CF-Pseudo-IPv4 Fly-Client-IP X-Appengine-User-IP X-Azure-ClientIP
  X-Envoy-External-Address WL-Proxy-Client-IP Proxy-Client-IP X-ProxyUser-IP X-Originating-IP X-Vercel-Forwarded-For
  X-Amzn-Mtls-Clientcert X-ARR-ClientCert
`
  .trim()
  .split(/\s+/)

describe('what a client cannot make an application believe', () => {
  test.each(FORGED)('%s, in any spelling, more than once', async (name) => {
    const fields = await fieldsFor([
      `${name}: evil-value-1`,
      `${name.toUpperCase()}: evil-value-2`,
      `${name.replaceAll('-', '_')}: evil-value-3`,
      `${name.toLowerCase().replaceAll('-', '_')}:evil-value-4`,
      `${name.replace('-', '_')}:\tevil-value-5`,
      `${name.replaceAll('-', '.')}: evil-value-6`,
      `${name.replaceAll('-', '~')}: evil-value-7`,
    ])
    expect(fields.join('\n')).not.toContain('evil')
    expect(told(fields, 'x-forwarded-for')).toEqual(['127.0.0.1'])
    expect(told(fields, 'x-forwarded-proto')).toEqual(['https'])
    expect(told(fields, 'x-forwarded-host')).toEqual(['localhost'])
    expect(told(fields, 'x-request-id')).toHaveLength(1)
  })

  test('nominating them as fields of the connection does not take the truth away', async () => {
    const names = [...FORGED, 'Host', 'Content-Length', 'X-Own'].join(', ')
    const fields = await fieldsFor([`Connection: ${names}`, 'Connection: x-other', 'x-own: 1', 'x-other: 1'])
    expect(told(fields, 'host')).toEqual(['localhost'])
    expect(told(fields, 'x-forwarded-for')).toEqual(['127.0.0.1'])
    expect(told(fields, 'x-request-id')).toHaveLength(1)
    expect(fields.join('\n')).not.toMatch(/x-own|x-other/)
  })

  test('fields of the connection end at the gateway', async () => {
    const fields = await fieldsFor([
      'Proxy-Authorization: Basic evil',
      'Proxy-Connection: evil',
      'Keep-Alive: evil',
      'TE: trailers, evil',
      'Trailer: evil',
      'Upgrade: h2c, evil',
      'HTTP2-Settings: AAMAAABkAAQAAP__',
      'Connection: upgrade, http2-settings',
    ])
    expect(fields.join('\n')).not.toMatch(/evil|http2-settings|upgrade/i)
  })

  test('what is only its own arrives untouched', async () => {
    const fields = await fieldsFor([
      'x-client-version: 7',
      'x_own: 8',
      'authorization: Bearer t',
      'cookie: a=1',
    ])
    for (const kept of ['x-client-version: 7', 'x_own: 8', 'authorization: Bearer t', 'cookie: a=1'])
      expect(fields).toContain(kept)
  })
})

describe('trusted proxies', () => {
  test.each([
    ['127.0.0.1', true],
    ['127.0.0.0/8', true],
    ['127.0.0.1/32', true],
    ['126.0.0.0/8', false],
    ['127.0.0.2/32', false],
    ['::1/128', false],
  ])('%s as trusted range: believed is %s', async (range, believed) => {
    await attacked.apply({ trustedProxies: [range] })
    const fields = await fieldsFor(['x-forwarded-for: 192.0.2.7'])
    expect(told(fields, 'x-forwarded-for')).toEqual([believed ? '192.0.2.7, 127.0.0.1' : '127.0.0.1'])
  })

  test('are believed what they say themselves, not what they let through', async () => {
    await attacked.apply({ trustedProxies: ['127.0.0.1'] })
    const through = FORGED.filter((name) => !/^X-(Forwarded-(For|Proto|Host|Port)|Request-Id)$/.test(name))
    const fields = await fieldsFor([
      ...through.map((name) => `${name}: evil`),
      'X_Forwarded_For: evil',
      'X_Request_Id: evil-evil',
      'x-forwarded-host: shop.example',
    ])
    expect(fields.join('\n')).not.toContain('evil')
    expect(told(fields, 'x-forwarded-host')).toEqual(['shop.example'])
  })
})
