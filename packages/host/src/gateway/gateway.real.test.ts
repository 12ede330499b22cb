import { once } from 'node:events'
import { mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { type AddressInfo, connect, createServer as createTcpServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import { createGatewayClient } from '@caretaker/appliance/gateway/client.ts'
import { type Gateway, type GatewayPaths, gatewayPaths } from '@caretaker/appliance/gateway/gateway.ts'
import type { Endpoint, GatewayConfig } from '@caretaker/appliance/gateway/gateway-config.ts'
import { isAppError } from '@caretaker/kernel/errors.ts'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { createHost } from '../host.ts'
import { type RunningGateway, runGateway } from './gateway.ts'
import { startLabUpstream } from './lab-upstream.ts'
import { MAX_HELD } from './limits.ts'

const host = createHost()
const loopback = { host: '127.0.0.1', port: 0 }
const POLL = { timeout: 60_000, interval: 10 }

let state: string
let paths: GatewayPaths
let client: Gateway
const closers: (() => Promise<unknown>)[] = []

beforeEach(async () => {
  state = await mkdtemp(join(tmpdir(), 'caretaker-gateway-'))
  paths = gatewayPaths(state)
  client = createGatewayClient(host, paths)
})
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close()
  await rm(state, { recursive: true })
})

async function start(
  more: { http?: Endpoint; https?: Endpoint; log?: string[] } = {},
): Promise<RunningGateway> {
  const log = more.log
  const gateway = await runGateway({
    paths,
    fallback: { https: more.https ?? loopback, http: more.http },
    ...(log ? { accessLog: (line: string) => log.push(line) } : {}),
  })
  closers.push(() => gateway.close(0))
  return gateway
}

async function startApp(): Promise<Awaited<ReturnType<typeof startLabUpstream>>> {
  const upstream = await startLabUpstream()
  closers.push(() => upstream.close())
  return upstream
}

async function occupy(): Promise<Endpoint> {
  const server: Server = createTcpServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  closers.push(async () => server.close())
  return { host: '127.0.0.1', port: (server.address() as AddressInfo).port }
}

const config = (upstream: Endpoint, changes: Partial<GatewayConfig> = {}): GatewayConfig => ({
  applianceId: 'lab',
  https: loopback,
  certificates: [],
  routes: [{ app: 'guestbook', hosts: ['localhost'], aliases: [], upstream, maxHoldMs: 600_000 }],
  trustedProxies: [],
  ...changes,
})

/** Sends bytes over TLS and gives all that comes until the other side ends. */
async function raw(port: number, text: string): Promise<string> {
  const socket = connectTls({ host: '127.0.0.1', port, servername: 'localhost', rejectUnauthorized: false })
  socket.write(text)
  let answer = ''
  for await (const chunk of socket as AsyncIterable<Buffer>) answer += chunk.toString('latin1')
  return answer
}

const ask = (method: string, path: string, more = ''): string =>
  `${method} ${path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n${more}\r\n`

describe('coming up', () => {
  test('without a config it shows the service page with a certificate of its own making', async () => {
    const { https, configHash, problems, certificates } = (await start()).status()
    expect({ configHash, problems }).toEqual({ configHash: undefined, problems: [] })
    expect(certificates[0]?.selfSigned).toBe(true)
    expect(await raw(https?.port as number, ask('GET', '/'))).toMatch(
      /^HTTP\/1\.1 503 [^]*The appliance is starting/,
    )
  })

  test('with a damaged config it shows the service page and says so in its status', async () => {
    await mkdir(paths.folder)
    await writeFile(paths.configFile, '{"applianceId": "x", "rou')
    const { https } = (await start()).status()
    expect(await raw(https?.port as number, ask('GET', '/'))).toMatch(/^HTTP\/1\.1 503 /)
    expect((await client.status()).problems).toMatchObject([{ code: 'STATE_DAMAGED' }])
    await client.apply(config(loopback))
    expect((await client.status()).problems).toEqual([])
  })

  test('with certificates that are gone it serves with one of its own making and says so', async () => {
    const upstream = await startApp()
    const certificates = [{ hosts: ['localhost'], certificateFile: '/no/x.crt', keyFile: '/no/x.key' }]
    await mkdir(paths.folder)
    await writeFile(paths.configFile, JSON.stringify(config(upstream.endpoint, { certificates })))
    const { https, problems } = (await start()).status()
    expect(problems).toMatchObject([{ code: 'CERTIFICATE_INVALID' }])
    expect(await raw(https?.port as number, ask('GET', '/echo'))).toMatch(/^HTTP\/1\.1 200 /)
  })

  test('does not come up on a taken HTTPS port: the program in the way is named, also to those who ask later', async () => {
    const taken = await occupy()
    const error = await start({ https: taken }).catch((thrown: unknown) => thrown)
    const asked = await client.status().catch((thrown: unknown) => thrown)
    for (const told of [error, asked]) {
      expect(isAppError(told, 'PORT_IN_USE') && told.what).toContain(String(taken.port))
      expect(isAppError(told) && told.why).toContain(`(pid ${process.pid})`)
    }
    await start()
    await expect(stat(paths.failureFile)).rejects.toThrow('ENOENT')
  })

  test('serves HTTPS although the HTTP port is taken, and says so', async () => {
    const { http, https, problems } = (await start({ http: await occupy() })).status()
    expect(http).toBeUndefined()
    expect(https?.port).toBeGreaterThan(0)
    expect(problems).toMatchObject([{ code: 'PORT_IN_USE' }])
  })

  test('a second gateway on the same state folder leaves the first alone', async () => {
    await start()
    const error = await start().catch((thrown: unknown) => thrown)
    expect(isAppError(error, 'STATE_IN_USE')).toBe(true)
    expect((await client.status()).pid).toBe(process.pid)
  })

  test('takes the place of a gateway that was killed, and lets only its owner command', async () => {
    await mkdir(paths.folder)
    await writeFile(paths.controlSocket, '')
    await start()
    const info = await stat(paths.controlSocket)
    expect([info.isSocket(), info.mode & 0o777]).toEqual([true, 0o600])
  })

  test('nobody answering is said with the next step', async () => {
    const error = await client.status().catch((thrown: unknown) => thrown)
    expect(isAppError(error, 'GATEWAY_UNREACHABLE') && error.next).toContain('caretaker up')
  })
})

describe('staying up', () => {
  test('moves to another port while streams of the old one go on', async () => {
    const upstream = await startApp()
    const gateway = await start()
    await client.apply(config(upstream.endpoint))
    const before = gateway.status().https?.port as number
    const socket = connectTls({ host: '127.0.0.1', port: before, rejectUnauthorized: false })
    socket.write(ask('GET', '/events').replace('connection: close\r\n', ''))
    await once(socket, 'data')
    const moved = { host: '127.0.0.1', port: await host.network.freePort() }
    await client.apply(config(upstream.endpoint, { https: moved }))
    upstream.send('still here')
    expect(String(await once(socket, 'data'))).toContain('still here')
    expect(await raw(moved.port, ask('GET', '/echo'))).toMatch(/^HTTP\/1\.1 200 /)
    await expect(raw(before, ask('GET', '/echo'))).rejects.toThrow('ECONNREFUSED')
    socket.destroy()
  })

  test('changes both ports or none', async () => {
    const upstream = await startApp()
    const gateway = await start()
    await client.apply(config(upstream.endpoint))
    const port = gateway.status().https?.port as number
    const moved = { host: '127.0.0.1', port: await host.network.freePort() }
    const refused = client.apply(config(upstream.endpoint, { https: moved, http: await occupy() }))
    const error = await refused.catch((thrown: unknown) => thrown)
    expect(isAppError(error, 'PORT_IN_USE')).toBe(true)
    expect(gateway.status().https?.port).toBe(port)
    expect(await raw(port, ask('GET', '/echo'))).toMatch(/^HTTP\/1\.1 200 /)
    await expect(raw(moved.port, ask('GET', '/echo'))).rejects.toThrow('ECONNREFUSED')
  })

  test('changes the address on the same port', async () => {
    const upstream = await startApp()
    const gateway = await start()
    const port = gateway.status().https?.port as number
    await client.apply(config(upstream.endpoint, { https: { host: '0.0.0.0', port } }))
    expect(gateway.status().https).toEqual({ host: '0.0.0.0', port })
    expect(await raw(port, ask('GET', '/echo'))).toMatch(/^HTTP\/1\.1 200 /)
  })

  test('holds a bounded number of requests; the rest read the service page', async () => {
    const upstream = await startApp()
    const gateway = await start()
    await client.apply(config(upstream.endpoint))
    await client.hold('guestbook', 600_000)
    const port = gateway.status().https?.port as number
    const answers: Promise<string>[] = []
    // All handshakes at once take a busy machine longer than a client may take for its own.
    while (answers.length < MAX_HELD) {
      for (let n = 0; n < 50; n++) answers.push(raw(port, ask('GET', '/echo')))
      await vi.waitFor(() => expect(gateway.status().apps[0]?.held).toBe(answers.length), POLL)
    }
    expect(await raw(port, ask('GET', '/echo'))).toMatch(/^HTTP\/1\.1 503 /)
    await client.release('guestbook')
    const statuses = (await Promise.all(answers)).map((answer) => answer.split(' ')[1])
    expect(new Set(statuses)).toEqual(new Set(['200']))
    expect(upstream.seen.length).toBe(MAX_HELD)
  })

  test('finishes what is under way before it ends, and takes nothing new', async () => {
    const upstream = await startApp()
    const gateway = await start()
    await client.apply(config(upstream.endpoint))
    const port = gateway.status().https?.port as number
    const answer = raw(port, ask('GET', '/wait').replace('connection: close\r\n', ''))
    await vi.waitFor(() => expect(upstream.waiting).toBe(1), POLL)
    const closed = gateway.close(20_000)
    await expect(raw(port, ask('GET', '/echo'))).rejects.toThrow('ECONNREFUSED')
    upstream.letGo()
    expect(await answer).toMatch(/^HTTP\/1\.1 200 /)
    await closed
  })

  test('ends in time although a stream goes on', async () => {
    const upstream = await startApp()
    const gateway = await start()
    await client.apply(config(upstream.endpoint))
    const answer = raw(gateway.status().https?.port as number, ask('GET', '/events'))
    await vi.waitFor(() => expect(upstream.listening).toBe(1), POLL)
    await gateway.close(50)
    await answer.catch(() => undefined)
    await vi.waitFor(() => expect(upstream.listening).toBe(0), POLL)
  })

  test.each(['GET', 'POST'])(
    'sends nothing (%s) to an application in no network of this machine: the way out is not for visitors',
    async (method) => {
      const log: string[] = []
      const gateway = await start({ log })
      // Reserved for documentation (RFC 5737): nobody is there, and whoever answers stands on the way out.
      await client.apply(config({ host: '198.51.100.7', port: 3000 }))
      const answer = await raw(gateway.status().https?.port as number, ask(method, '/'))
      expect(answer).toMatch(/^HTTP\/1\.1 503 /)
      const said = 'no network of this machine holds 198.51.100.7'
      await vi.waitFor(() => expect(log.join('\n')).toContain(said), POLL)
    },
  )

  test('writes one line per request when asked to, without the query', async () => {
    const upstream = await startApp()
    const log: string[] = []
    const gateway = await start({ log })
    await client.apply(config(upstream.endpoint))
    await raw(gateway.status().https?.port as number, ask('GET', '/echo?token=geheim'))
    await vi.waitFor(() => expect(log.length).toBe(1), POLL)
    expect(JSON.parse(log[0] as string)).toMatchObject({
      app: 'guestbook',
      status: 200,
      path: '/echo',
      method: 'GET',
    })
    expect(log[0]).not.toContain('geheim')
  })
})

describe('what is no proper request', () => {
  let port: number
  let upstream: Awaited<ReturnType<typeof startLabUpstream>>
  beforeEach(async () => {
    upstream = await startApp()
    const gateway = await start()
    await client.apply(config(upstream.endpoint))
    port = gateway.status().https?.port as number
  })

  test.each([
    ['no HTTP at all', 'HELO there\r\n\r\n', 400],
    ['no host', 'GET / HTTP/1.0\r\n\r\n', 400],
    ['a host that is none', 'GET / HTTP/1.1\r\nhost: a b\r\nconnection: close\r\n\r\n', 400],
    ['header fields that are too large', ask('GET', '/', `cookie: ${'x'.repeat(40_000)}\r\n`), 431],
    [
      'two lengths of the body',
      ask('POST', '/echo', 'content-length: 3\r\ntransfer-encoding: chunked\r\n'),
      400,
    ],
  ])('%s is answered with a page', async (_name, text, status) => {
    const answer = await raw(port, text)
    expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} [^]*<h1>`))
    expect(upstream.seen).toEqual([])
  })

  test('a whole URL as target counts with its host', async () => {
    expect(await raw(port, ask('GET', 'https://localhost/echo?a'))).toMatch(
      /^HTTP\/1\.1 200 [^]*"path":"\/echo\?a"/,
    )
    expect(await raw(port, ask('GET', 'https://other.example/echo'))).toMatch(/^HTTP\/1\.1 421 /)
  })

  test('a chunked body cannot carry a second request to the application', async () => {
    const hidden = 'GET /hidden HTTP/1.1\r\nhost: localhost\r\n\r\n'
    const chunk = `${hidden.length.toString(16)}\r\n${hidden}\r\n0\r\n\r\n`
    for (const method of ['GET', 'DELETE', 'POST']) {
      const answer = await raw(port, ask(method, '/echo', `transfer-encoding: chunked\r\n`) + chunk)
      expect(answer).toContain(`"bytes":${hidden.length}`)
    }
    expect(upstream.seen).toEqual(['GET /echo', 'DELETE /echo', 'POST /echo'])
  })

  test('a body is only asked for once it is passed on', async () => {
    await client.hold('guestbook', 60_000)
    const socket = connectTls({ host: '127.0.0.1', port, rejectUnauthorized: false })
    let told = ''
    socket.on('data', (chunk) => {
      told += String(chunk)
    })
    socket.write(ask('POST', '/echo', 'content-length: 3\r\nexpect: 100-continue\r\n'))
    await vi.waitFor(async () => expect((await client.status()).apps[0]?.held).toBe(1), POLL)
    expect(told).toBe('')
    await client.release('guestbook')
    await vi.waitFor(() => expect(told).toContain('100 Continue'), POLL)
    socket.write('abc')
    await vi.waitFor(() => expect(told).toMatch(/200 OK[^]*"bytes":3/), POLL)
    socket.destroy()
  })

  test('a connection that says nothing, and one that stops half-way, are ended', async () => {
    const silent = connect({ host: '127.0.0.1', port }).resume()
    const stopped = connectTls({
      host: '127.0.0.1',
      port,
      rejectUnauthorized: false,
    }).resume()
    stopped.write('GET / HTTP/1.1\r\nhost: local')
    await Promise.all([once(silent, 'end'), once(stopped, 'end')])
    silent.destroy()
    stopped.destroy()
  })

  test('another kind of upgrade is an ordinary request', async () => {
    const answer = await raw(port, ask('GET', '/echo', 'upgrade: h2c\r\n'))
    expect(answer).toMatch(/^HTTP\/1\.1 200 /)
  })
})
