import { isAppError } from '@caretaker/kernel/errors.ts'
import { hashOf } from '@caretaker/kernel/json.ts'
import { MIB } from '@caretaker/kernel/units.ts'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { describeHeaderFields } from './conformance-headers.ts'
import { describeProxyProtocol } from './conformance-proxy-protocol.ts'
import type { GatewayConfig, Route, ServiceReason } from './gateway-config.ts'
import type { GatewayLab, LabEcho, LabRequest, LabUpstream } from './lab.ts'

const HOST = 'guestbook.localhost'
const REASON: ServiceReason = {
  code: 'UPDATE',
  reason: 'An update is <b>under way</b>.',
  next: 'caretaker operation list',
  since: '2026-11-20T09:00:00Z',
}
const POLL = { timeout: 60_000, interval: 10 }

/** What every back end of the gateway must do, seen from outside. Old versions of an engine lack some of it. */
export function describeGateway(
  name: string,
  makeLab: () => Promise<GatewayLab>,
  can: { readonly proxyProtocol: boolean } = { proxyProtocol: true },
): void {
  describe(`gateway: ${name}`, () => {
    let lab: GatewayLab
    let upstream: LabUpstream

    beforeAll(async () => {
      lab = await makeLab()
    })
    afterAll(() => lab.close())
    beforeEach(async () => {
      upstream = await lab.startUpstream()
      await use({})
    })

    const route = (changes: Partial<Route> = {}): Route => ({
      app: 'guestbook',
      hosts: [HOST],
      aliases: [],
      upstream: upstream.endpoint,
      maxHoldMs: 20_000,
      ...changes,
    })
    const use = (changes: Partial<GatewayConfig>): Promise<void> =>
      lab.gateway.apply({ ...lab.config, routes: [route()], ...changes })
    const get = (path: string, more: Partial<LabRequest> = {}) => lab.request({ host: HOST, path, ...more })
    const echo = async (path: string, more: Partial<LabRequest> = {}): Promise<LabEcho> =>
      JSON.parse((await get(path, more)).body) as LabEcho
    const traffic = async () => (await lab.gateway.status()).apps.find((app) => app.app === 'guestbook')
    const eventually = vi.waitFor

    describe('addresses', () => {
      test('serves an application over HTTPS with a certificate of the authority', async () => {
        const answer = await get('/echo/a?b=c')
        expect(answer.status).toBe(200)
        expect(JSON.parse(answer.body)).toMatchObject({ method: 'GET', path: '/echo/a?b=c' })
      })

      test('redirects plain HTTP to the same place over HTTPS, method kept', async () => {
        const answer = await get('/echo?x=1', { plain: true, method: 'POST', body: 'x' })
        expect(answer.status).toBe(308)
        expect(answer.headers['location']).toBe(`https://${HOST}:${lab.config.https.port}/echo?x=1`)
        expect(upstream.seen).toEqual([])
      })

      test('takes the host name in any case, with port and trailing dot', async () => {
        expect((await get('/echo', { headers: { host: 'GuestBook.LOCALHOST.:8443' } })).status).toBe(200)
      })

      test('answers an unknown host with 421 and a page, never with an application', async () => {
        const answer = await get('/echo', { headers: { host: 'other.localhost' } })
        expect(answer.status).toBe(421)
        expect(answer.headers['content-type']).toContain('text/html')
        expect(answer.body).toContain('<h1>')
        expect(upstream.seen).toEqual([])
      })

      test('redirects aliases to the first host', async () => {
        await use({ routes: [route({ aliases: ['www.localhost'] })] })
        const answer = await get('/echo?x=1', { headers: { host: 'www.localhost' } })
        expect(answer.status).toBe(308)
        expect(answer.headers['location']).toBe(`https://${HOST}:${lab.config.https.port}/echo?x=1`)
      })

      test('sends paths below a prefix to their own application', async () => {
        const wiki = await lab.startUpstream()
        await use({ routes: [route(), route({ app: 'wiki', pathPrefix: '/wiki', upstream: wiki.endpoint })] })
        await get('/echo')
        await get('/wiki/echo')
        await get('/wikipedia')
        expect(upstream.seen).toEqual(['GET /echo', 'GET /wikipedia'])
        expect(wiki.seen).toEqual(['GET /wiki/echo'])
      })

      test('answers 404 where only prefixes are served', async () => {
        await use({ routes: [route({ pathPrefix: '/wiki' })] })
        expect((await get('/')).status).toBe(404)
      })
    })

    describe('challenges of an ACME server', () => {
      const PLACE = '/.well-known/acme-challenge/'

      test('are answered over HTTP for hosts, aliases and names it does not know, without a redirect', async () => {
        await use({ routes: [route({ aliases: ['www.localhost'] })] })
        await lab.prove('token-1_A', 'token-1_A.thumbprint')
        for (const host of [HOST, 'www.localhost', 'unknown.localhost']) {
          const answer = await lab.request({ host, path: `${PLACE}token-1_A`, plain: true })
          expect(answer).toMatchObject({ status: 200, body: 'token-1_A.thumbprint' })
        }
        expect(upstream.seen).toEqual([])
      })

      test('are answered in service mode', async () => {
        await use({ service: REASON })
        await lab.prove('token-2', 'token-2.thumbprint')
        const answer = await get(`${PLACE}token-2`, { plain: true })
        expect(answer).toMatchObject({ status: 200, body: 'token-2.thumbprint' })
      })

      test('that are not ours are treated as any other path, and no path leads out of the folder', async () => {
        await use({})
        for (const path of [`${PLACE}unknown`, `${PLACE}..%2fconfig.json`, `${PLACE}../config.json`, PLACE]) {
          expect((await get(path, { plain: true })).status).toBe(308)
        }
        expect((await get(`${PLACE}unknown`)).status).toBe(200)
        expect(upstream.seen).toEqual([`GET ${PLACE}unknown`])
      })
    })

    describe('service page', () => {
      test('answers every path and method over HTTP and HTTPS', async () => {
        await use({ service: REASON })
        for (const plain of [true, false]) {
          for (const method of ['GET', 'POST', 'DELETE', 'OPTIONS']) {
            const answer = await get('/any/path', { plain, method, headers: { host: 'whatever.localhost' } })
            expect(answer.status).toBe(503)
            expect(answer.headers['retry-after']).toBe('30')
            expect(answer.body).toContain('<title>Service not available</title>')
          }
        }
        expect(upstream.seen).toEqual([])
      })

      test('escapes the reason and keeps what is for the person responsible', async () => {
        await use({ service: REASON })
        const { body } = await get('/')
        expect(body).toContain('An update is &lt;b&gt;under way&lt;/b&gt;.')
        expect(body).not.toContain('caretaker operation list')
        expect(body).toContain('http-equiv="refresh"')
        expect(body).not.toMatch(/src=|href=|<script/)
      })

      test('is JSON for programs, and empty for HEAD', async () => {
        await use({ service: REASON })
        const json = await get('/', { headers: { accept: 'application/json' } })
        expect(JSON.parse(json.body)).toMatchObject({
          status: 503,
          code: 'UPDATE',
          title: 'Service not available',
          reason: REASON.reason,
          since: REASON.since,
        })
        expect(json.body).not.toContain('operation list')
        const head = await get('/', { method: 'HEAD' })
        expect([head.status, head.body]).toEqual([503, ''])
      })

      test('stands for one application while the others are served', async () => {
        const { upstream: _, ...down } = route({ app: 'wiki', hosts: ['wiki.localhost'], reason: REASON })
        await use({ routes: [route(), down] })
        expect((await get('/', { headers: { host: 'wiki.localhost' } })).status).toBe(503)
        expect((await get('/echo')).status).toBe(200)
      })

      test('says that an application does not answer, without inner details', async () => {
        await use({ routes: [route({ upstream: await lab.deadEndpoint() })] })
        const answer = await get('/', { headers: { accept: 'application/json' } })
        expect(answer.status).toBe(503)
        expect(answer.headers['retry-after']).toBe('5')
        expect(answer.body).toContain('APP_NOT_ANSWERING')
        expect(answer.body).not.toMatch(/ECONN|127\.0\.0\.1|\n\s+at /)
        expect((await get('/', { method: 'POST', body: 'x'.repeat(100_000) })).status).toBe(503)
      })
    })

    describe('hold', () => {
      test('lets requests wait and go on in order, to where the application is then', async () => {
        const next = await lab.startUpstream()
        await lab.gateway.hold('guestbook', 60_000)
        const answers: Promise<LabEcho>[] = []
        for (let n = 0; n < 10; n++) {
          answers.push(echo(`/echo/${n}`, { method: 'POST', body: `entry ${n}` }))
          await eventually(async () => expect((await traffic())?.held).toBe(n + 1), POLL)
        }
        await use({ routes: [route({ upstream: next.endpoint })] })
        await lab.gateway.release('guestbook')
        expect((await Promise.all(answers)).map((answer) => [answer.path, answer.bytes])).toEqual(
          answers.map((_, n) => [`/echo/${n}`, 7]),
        )
        expect(next.seen).toEqual(answers.map((_, n) => `POST /echo/${n}`))
        expect(upstream.seen).toEqual([])
      })

      test('ends with the service page and its reason when it takes too long', async () => {
        await use({ routes: [route({ maxHoldMs: 100, reason: REASON })] })
        await lab.gateway.hold('guestbook', 60_000)
        const answer = await get('/echo', { headers: { accept: 'application/json' } })
        await lab.gateway.release('guestbook')
        expect(answer.status).toBe(503)
        expect(answer.body).toContain('UPDATE')
        expect(upstream.seen).toEqual([])
      })

      test('ends by itself at its limit', async () => {
        await lab.gateway.hold('guestbook', 200)
        expect((await get('/echo')).status).toBe(200)
        expect((await traffic())?.holding).toBe(false)
      })

      test('forgets clients that went away', async () => {
        await lab.gateway.hold('guestbook', 60_000)
        const leave = new AbortController()
        lab.abandon({ host: HOST, path: '/echo', method: 'POST', body: 'x' }, leave.signal)
        await eventually(async () => expect((await traffic())?.held).toBe(1), POLL)
        leave.abort()
        await eventually(async () => expect((await traffic())?.held).toBe(0), POLL)
        await lab.gateway.release('guestbook')
        await get('/echo/after')
        expect(upstream.seen).toEqual(['GET /echo/after'])
      })

      test('gives the reason at once when the application is taken away', async () => {
        await lab.gateway.hold('guestbook', 60_000)
        const answer = get('/echo')
        await eventually(async () => expect((await traffic())?.held).toBe(1), POLL)
        await use({ service: REASON })
        expect((await answer).status).toBe(503)
      })

      test('waits for what is under way', async () => {
        const answer = get('/wait')
        await eventually(() => expect(upstream.waiting).toBe(1), POLL)
        await lab.gateway.hold('guestbook', 60_000)
        expect(await lab.gateway.drain('guestbook', 50)).toBe(1)
        const drained = lab.gateway.drain('guestbook', 20_000)
        upstream.letGo()
        expect(await drained).toBe(0)
        expect((await answer).status).toBe(200)
        await lab.gateway.release('guestbook')
      })

      test('refuses an application it does not know', async () => {
        const error = await lab.gateway.hold('nobody', 1000).catch((thrown: unknown) => thrown)
        expect(isAppError(error, 'APP_UNKNOWN')).toBe(true)
      })
    })

    describe('streams', () => {
      test('hands on server-sent events at once, the header fields before the first', async () => {
        const events = await lab.openEvents({ host: HOST, path: '/events' })
        expect(events.headers['content-type']).toBe('text/event-stream')
        upstream.send('one')
        expect(await events.next()).toBe('one')
        upstream.send('two')
        expect(await events.next()).toBe('two')
        events.close()
        await eventually(() => expect(upstream.listening).toBe(0), POLL)
      })

      test('keeps event streams and websockets over a config change', async () => {
        const events = await lab.openEvents({ host: HOST, path: '/events' })
        const socket = await lab.openWebSocket({ host: HOST, path: '/socket' })
        await use({ routes: [route(), route({ app: 'wiki', hosts: ['wiki.localhost'] })] })
        socket.send('still here?')
        expect(await socket.next()).toBe('still here?')
        upstream.send('yes')
        expect(await events.next()).toBe('yes')
        await eventually(async () => expect(await traffic()).toMatchObject({ open: 0, streams: 2 }), POLL)
        expect(await lab.gateway.drain('guestbook', 0)).toBe(0)
        socket.close()
        events.close()
        await eventually(async () => expect((await traffic())?.streams).toBe(0), POLL)
      })

      test('refuses a websocket with the service page', async () => {
        await use({ service: REASON })
        await expect(lab.openWebSocket({ host: HOST, path: '/socket' })).rejects.toThrow('503')
        await use({ routes: [route({ upstream: await lab.deadEndpoint() })] })
        await expect(lab.openWebSocket({ host: HOST, path: '/socket' })).rejects.toThrow('503')
      })

      test('holds a websocket as well', async () => {
        await lab.gateway.hold('guestbook', 60_000)
        const opening = lab.openWebSocket({ host: HOST, path: '/socket' })
        await eventually(async () => expect((await traffic())?.held).toBe(1), POLL)
        await lab.gateway.release('guestbook')
        const socket = await opening
        socket.send('hello')
        expect(await socket.next()).toBe('hello')
        socket.close()
      })

      test('streams a large upload without keeping it', async () => {
        const before = await lab.peakMemoryBytes()
        const answer = await lab.upload({ host: HOST, path: '/echo/upload', method: 'POST' }, 200 * MIB)
        expect(answer.status).toBe(200)
        expect(JSON.parse(answer.body)).toMatchObject({ bytes: 200 * MIB, sha256: answer.sha256 })
        expect((await lab.peakMemoryBytes()) - before).toBeLessThan(80 * MIB)
      })

      test('does not take in what the application does not read', async () => {
        const before = await lab.peakMemoryBytes()
        const answer = lab.upload({ host: HOST, path: '/wait/upload', method: 'POST' }, 200 * MIB)
        await eventually(() => expect(upstream.waiting).toBe(1), POLL)
        upstream.letGo()
        expect(JSON.parse((await answer).body)).toMatchObject({ bytes: 200 * MIB })
        expect((await lab.peakMemoryBytes()) - before).toBeLessThan(80 * MIB)
      })

      test('tells the application when its client goes away', async () => {
        const leave = new AbortController()
        lab.abandon({ host: HOST, path: '/wait' }, leave.signal)
        await eventually(() => expect(upstream.waiting).toBe(1), POLL)
        leave.abort()
        await eventually(() => expect(upstream.abandoned).toBe(1), POLL)
        await eventually(async () => expect((await traffic())?.open).toBe(0), POLL)
      })

      test('never sends a request twice that changes something', async () => {
        for (let n = 0; n < 5; n++) {
          expect((await get(`/stale/${n}`)).status).toBe(200)
          expect((await get(`/echo/${n}`, { method: 'POST', body: 'x' })).status).toBe(200)
        }
        await get('/crash', { method: 'POST', body: 'x' })
        await get('/crash', { method: 'DELETE' })
        expect(upstream.seen.filter((line) => !line.startsWith('GET'))).toEqual([
          ...[0, 1, 2, 3, 4].map((n) => `POST /echo/${n}`),
          'POST /crash',
          'DELETE /crash',
        ])
      })

      test('answers reads over connections that the application has closed meanwhile', async () => {
        for (let n = 0; n < 20; n++) expect((await get(`/stale/${n}`)).status).toBe(200)
      })
    })

    describeHeaderFields(() => ({ lab: () => lab, host: HOST, use, get, echo }))
    if (can.proxyProtocol) describeProxyProtocol(() => ({ host: HOST, seen: upstream.seen, use, get, echo }))

    describe('config', () => {
      test('refuses what it cannot put in force and keeps the old one', async () => {
        const before = (await lab.gateway.status()).configHash
        const attempts: [string, Partial<GatewayConfig>][] = [
          ['CONFIG_CONFLICT', { routes: [route(), route({ app: 'other' })] }],
          ['CONFIG_WRONG_TYPE', { https: { host: '127.0.0.1', port: 99_999 } }],
          [
            'CERTIFICATE_INVALID',
            { certificates: [{ hosts: [HOST], certificateFile: '/nowhere.crt', keyFile: '/nowhere.key' }] },
          ],
          ['PORT_IN_USE', { https: upstream.endpoint }],
        ]
        for (const [code, changes] of attempts) {
          const error = await use(changes).catch((thrown: unknown) => thrown)
          expect([code, isAppError(error) && error.code]).toEqual([code, code])
        }
        expect((await lab.gateway.status()).configHash).toBe(before)
        expect((await get('/echo')).status).toBe(200)
      })

      test('is still in force after the gateway was killed', async () => {
        await use({ routes: [route({ aliases: ['www.localhost'] })] })
        const { configHash, pid } = await lab.gateway.status()
        expect(configHash).toBe(hashOf({ ...lab.config, routes: [route({ aliases: ['www.localhost'] })] }))
        await lab.crash()
        const after = await lab.gateway.status()
        expect(after.pid).not.toBe(pid)
        expect(after.configHash).toBe(configHash)
        expect((await get('/echo')).status).toBe(200)
      })
    })
  })
}
