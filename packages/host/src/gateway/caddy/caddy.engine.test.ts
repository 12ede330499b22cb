import { execFile } from 'node:child_process'
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { promisify } from 'node:util'
import { selfSignedCertificate } from '@caretaker/appliance/certificates/authority.ts'
import type { GatewayConfig, Route } from '@caretaker/appliance/gateway/gateway-config.ts'
import type { LabEcho, LabRequest, LabUpstream } from '@caretaker/appliance/gateway/lab.ts'
import { KIB } from '@caretaker/kernel/units.ts'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { createHost } from '../../host.ts'
import { readToEnd, statuses } from '../security.fixture.ts'
import { type CaddyLab, startCaddyLab } from './caddy-lab.fixture.ts'
import { shownFingerprint } from './shown-certificate.ts'

const HOST = 'guestbook.localhost'
const POLL = { timeout: 60_000, interval: 20 }
const run = promisify(execFile)
const host = createHost()

let lab: CaddyLab
let upstream: LabUpstream

beforeAll(async () => {
  lab = await startCaddyLab()
})
afterAll(() => lab?.close())
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
const use = (changes: Partial<GatewayConfig>) =>
  lab.gateway.apply({ ...lab.config, routes: [route()], ...changes })
const get = (path: string, more: Partial<LabRequest> = {}) => lab.request({ host: HOST, path, ...more })

function open(): TLSSocket {
  return connectTls({ ...lab.config.https, servername: HOST, rejectUnauthorized: false })
}
async function send(bytes: string): Promise<string> {
  const socket = open()
  socket.write(bytes, 'latin1')
  return await readToEnd(socket)
}

/** A certificate of its own, as files. */
async function otherCertificate(): Promise<GatewayConfig['certificates'][number]> {
  const made = await selfSignedCertificate({ hosts: [HOST], now: new Date(), days: 10 })
  const folder = lab.paths.folder
  const [certificateFile, keyFile] = [join(folder, 'other.crt'), join(folder, 'other.key')]
  await host.files.write(certificateFile, made.certPem, 0o600)
  await host.files.write(keyFile, made.key.reveal(), 0o600)
  return { hosts: [HOST], certificateFile, keyFile }
}

describe('nothing is cut', () => {
  test('by a switch of an application, its own websocket and that of another included', async () => {
    const other = await lab.startUpstream()
    const wiki = route({ app: 'wiki', hosts: ['wiki.localhost'], upstream: other.endpoint })
    await use({ routes: [route(), wiki] })
    const sockets = await Promise.all(
      [HOST, 'wiki.localhost'].map((name) => lab.openWebSocket({ host: name, path: '/socket' })),
    )
    const next = await lab.startUpstream()
    let isOver = false
    const answers: number[] = []
    const visitor = (async () => {
      while (!isOver) answers.push((await get('/echo', { method: 'POST', body: 'x' })).status)
    })()
    await vi.waitFor(() => expect(answers.length).toBeGreaterThan(5), POLL)
    await lab.gateway.hold('guestbook', 60_000)
    expect(await lab.gateway.drain('guestbook', 20_000)).toBe(0)
    await use({ routes: [route({ upstream: next.endpoint }), wiki] })
    await lab.gateway.release('guestbook')
    await vi.waitFor(() => expect(next.seen.length).toBeGreaterThan(5), POLL)
    isOver = true
    await visitor
    expect(new Set(answers)).toEqual(new Set([200]))
    for (const socket of sockets) {
      socket.send('still here?')
      expect(await socket.next()).toBe('still here?')
      socket.close()
    }
  })

  test('by another certificate, which is shown at once', async () => {
    const socket = await lab.openWebSocket({ host: HOST, path: '/socket' })
    const before = await shownFingerprint(lab.config.https, HOST, 5000)
    await use({ certificates: [...lab.config.certificates, await otherCertificate()] })
    const after = await shownFingerprint(lab.config.https, HOST, 5000)
    expect(after).not.toBe(before)
    expect((await lab.gateway.status()).certificates.at(-1)?.fingerprint).toBe(after)
    socket.send('still here?')
    expect(await socket.next()).toBe('still here?')
    socket.close()
    await use({})
    expect(await shownFingerprint(lab.config.https, HOST, 5000)).toBe(before)
  })
})

describe('killed', () => {
  test('the gateway behind Caddy: what comes meanwhile waits, and what Caddy cannot keep is refused whole', async () => {
    await lab.kill('behind')
    const waiting = [get('/echo'), get('/echo', { method: 'DELETE' })]
    const withBody = get('/echo', { method: 'POST', body: 'hello' })
    await lab.start('behind')
    for (const answer of await Promise.all(waiting))
      expect(answer, answer.body).toMatchObject({ status: 200 })
    // Before Caddy 2.7 a body cannot be offered twice: it is refused with the page, or arrives once.
    const isRefused = (await withBody).status === 503
    if (!isRefused) expect((JSON.parse((await withBody).body) as LabEcho).bytes).toBe(5)
    expect(upstream.seen.filter((line) => line.startsWith('POST'))).toHaveLength(isRefused ? 0 : 1)
    await lab.serving()
  })

  test('the gateway for good: Caddy itself answers with the service page', async () => {
    await lab.kill('behind')
    const [page, json] = await Promise.all([
      get('/any/path', { headers: { accept: 'text/html' } }),
      get('/any/path', { headers: { accept: 'application/json' } }),
    ])
    expect([page.status, json.status]).toEqual([503, 503])
    expect(page.headers['retry-after']).toBe('5')
    expect(page.body).toContain('<title>Service not available</title>')
    expect(page.body).not.toMatch(/\{http\.|src=|href=|<script/)
    expect(JSON.parse(json.body)).toMatchObject({ status: 503, code: 'GATEWAY_UNREACHABLE' })
    expect((JSON.parse(json.body) as { request_id: string }).request_id).toBe(json.headers['x-request-id'])
    expect(page.headers['server']).toBeUndefined()
    await lab.start('behind')
    await lab.serving()
    expect((await get('/echo')).status).toBe(200)
  })

  test('both, and Caddy alone comes back: it shows the page with the right certificate', async () => {
    await Promise.all([lab.kill('behind'), lab.kill('caddy')])
    await lab.start('caddy')
    await vi.waitFor(async () => expect((await get('/')).status).toBe(503), POLL)
    await lab.start('behind')
    await lab.serving()
    expect((await get('/echo')).status).toBe(200)
  })

  test('Caddy: it starts with the config it had last', async () => {
    const https = { host: '127.0.0.1', port: await host.network.freePort() }
    await use({ https })
    await lab.kill('caddy')
    await lab.start('caddy')
    await vi.waitFor(async () => expect(await shownFingerprint(https, HOST, 5000)).toHaveLength(64), POLL)
    await lab.serving()
    await use({})
  })

  test('either, again and again, while a client writes: what was answered has arrived', async () => {
    const acknowledged: number[] = []
    let isOver = false
    const writer = (async () => {
      for (let n = 0; !isOver; n++) {
        const answer = await get(`/echo/${n}`, { method: 'POST', body: 'entry' }).catch(() => undefined)
        if (answer?.status === 200) acknowledged.push(n)
        else await new Promise((resolve) => setImmediate(resolve))
      }
    })()
    for (const victim of ['caddy', 'behind', 'caddy', 'behind'] as const) {
      const before = acknowledged.length
      await vi.waitFor(() => expect(acknowledged.length).toBeGreaterThan(before + 10), POLL)
      await lab.kill(victim)
      await lab.start(victim)
    }
    const before = acknowledged.length
    await vi.waitFor(() => expect(acknowledged.length).toBeGreaterThan(before + 10), POLL)
    isOver = true
    await writer
    await lab.serving()
    const arrived = new Map<string, number>()
    for (const line of upstream.seen) arrived.set(line, (arrived.get(line) ?? 0) + 1)
    // Nothing that changes something is sent twice, and nothing that was answered is missing.
    expect(acknowledged.filter((n) => arrived.get(`POST /echo/${n}`) !== 1)).toEqual([])
    expect([...arrived.values()].filter((count) => count > 1)).toEqual([])
  })
})

describe('an attacker', () => {
  test('does not speak for Caddy', async () => {
    const headers = {
      'x-caretaker-client': '6.6.6.6',
      'x-caretaker-scheme': 'http',
      'x-forwarded-for': '6.6.6.6',
    }
    const { headers: told } = JSON.parse((await get('/echo', { headers })).body) as LabEcho
    expect(told['x-forwarded-for']).toBe('127.0.0.1')
    expect(JSON.stringify(told)).not.toMatch(/6\.6\.6\.6|x-caretaker/)
    const plain = await get('/echo', { plain: true, headers: { 'x-caretaker-scheme': 'https' } })
    expect(plain.status).toBe(308)
  })

  test.each([
    ['two lengths', 'content-length: 4\r\ncontent-length: 5\r\n', 'abcde'],
    ['an unknown coding', 'transfer-encoding: xchunked\r\n', '0\r\n\r\n'],
    ['two codings', 'transfer-encoding: chunked, identity\r\n', '0\r\n\r\n'],
    ['two hosts', 'host: other.localhost\r\n', ''],
    ['a space before the colon', 'content-length : 5\r\n', 'abcde'],
    ['a folded line', 'x-a: b\r\n content-length: 5\r\n', 'abcde'],
    ['a bare line feed in a field', 'x-a: b\nx-b: c\r\r\n', ''],
  ])('smuggles nothing by %s', async (_name, more, body) => {
    const inner = `GET /smuggled HTTP/1.1\r\nhost: ${HOST}\r\n\r\n`
    const text = await send(
      `POST /echo HTTP/1.1\r\nhost: ${HOST}\r\nconnection: close\r\n${more}\r\n${body}${inner}`,
    )
    expect(statuses(text).length).toBeLessThanOrEqual(1)
    expect(upstream.seen.filter((line) => line.includes('smuggled'))).toEqual([])
  })

  test('smuggles nothing by both a length and chunks: one of them counts, for all', async () => {
    const inner = `GET /smuggled HTTP/1.1\r\nhost: ${HOST}\r\n\r\n`
    await send(
      `POST /echo HTTP/1.1\r\nhost: ${HOST}\r\nconnection: close\r\ncontent-length: ${5 + inner.length}\r\n` +
        `transfer-encoding: chunked\r\n\r\n0\r\n\r\n${inner}`,
    )
    expect(upstream.seen.filter((line) => line.includes('smuggled'))).toEqual([])
  })

  test('with large header fields is refused', async () => {
    const text = await send(`GET / HTTP/1.1\r\nhost: ${HOST}\r\nx-a: ${'a'.repeat(64 * KIB)}\r\n\r\n`)
    expect(text === '' ? [431] : statuses(text)).toEqual([431])
    expect(upstream.seen).toEqual([])
  })

  test('who is slow with header fields is ended, while others are served', async () => {
    const slow = open()
    slow.write(`GET / HTTP/1.1\r\nhost: ${HOST}\r\nx-slow: `)
    const ended = readToEnd(slow)
    expect((await get('/echo')).status).toBe(200)
    await ended
    expect(upstream.seen).toEqual(['GET /echo'])
  })

  test('on this machine reaches neither the sockets nor a certificate with its key', async () => {
    const { caddy } = lab.paths
    for (const path of [caddy.socketsFolder, caddy.certificatesFolder, caddy.configFile, caddy.secretFile])
      expect([path, (await stat(path)).mode & 0o077]).toEqual([path, 0])
    const { port, token } = JSON.parse(await readFile(caddy.secretFile, 'utf8')) as {
      port: number
      token: string
    }
    const ask = async (path: string) => await (await fetch(`http://127.0.0.1:${port}${path}`)).text()
    expect(await ask(`/${token}?server_name=${HOST}`)).toContain('PRIVATE KEY')
    for (const path of [
      '/',
      `/?server_name=${HOST}`,
      `/${token.slice(1)}?server_name=${HOST}`,
      `/${HOST}.pem`,
    ])
      expect(await ask(path)).toBe('')
    // Whatever name is asked for: never a file beside the certificates.
    for (const name of ['../secret', '..%2fcaddy', '../../config', '%2e%2e/secret.json'])
      expect(await ask(`/${token}?server_name=${name}`)).not.toContain(token)
    if (process.getuid?.() !== 0) return
    const asNobody = ['-u', 'nobody', '--', 'test', '-S', caddy.adminSocket]
    await expect(run('runuser', asNobody)).rejects.toMatchObject({ code: 1 })
  })
})

describe('a changed port', () => {
  test('is taken by the same Caddy, and the old one is free', async () => {
    const https = { host: '127.0.0.1', port: await host.network.freePort() }
    const pid = lab.caddy.pid
    await use({ https })
    expect((await lab.gateway.status()).https).toEqual(https)
    expect(await shownFingerprint(https, HOST, 5000)).toMatch(/^[0-9a-f]{64}$/)
    expect(await host.network.canListen('127.0.0.1', lab.config.https.port)).toBe('yes')
    await use({})
    expect((await get('/echo')).status).toBe(200)
    expect([lab.caddy.pid, lab.caddy.exitCode]).toEqual([pid, null])
  })

  test('that Caddy cannot have is told in the words of all gateways, and the old one still serves', async () => {
    const nowhere = { host: '203.0.113.1', port: 8443 }
    await expect(use({ https: nowhere })).rejects.toMatchObject({ code: 'GATEWAY_START_FAILED' })
    expect((await get('/echo')).status).toBe(200)
  })
})
