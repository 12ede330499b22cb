import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { MAX_CONNECTIONS_PER_CLIENT } from './limits.ts'
import { type AttackedGateway, ask, readToEnd, startAttackedGateway, statuses } from './security.fixture.ts'

const PROXY = '127.0.0.2'
const POLL = { timeout: 60_000, interval: 20 }
const header = (client: string): string => `PROXY TCP4 ${client} 192.0.2.1 56324 443\r\n`
const GET = 'GET /p HTTP/1.1\r\nhost: localhost\r\n\r\n'

let attacked: AttackedGateway
beforeAll(async () => {
  attacked = await startAttackedGateway()
})
afterAll(() => attacked.close())
beforeEach(async () => {
  attacked.upstream.received.length = 0
  await attacked.apply({ trustedProxies: [`${PROXY}/32`], proxyProtocol: true })
})

async function dial(port: number, from = PROXY): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port, localAddress: from, noDelay: true })
  socket.on('error', () => undefined)
  await once(socket, 'connect')
  return socket
}

/** The reasons of the refusals since the log had `before` lines. */
const refusals = (before: number) =>
  attacked.log.slice(before).map(({ from, reason }) => `${String(from)}: ${String(reason)}`)

describe('a connection of the load balancer', () => {
  test('speaks for its client as long as it lasts, over TLS and for every request', async () => {
    attacked.upstream.answer = (socket) =>
      void socket.end('HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok')
    const raw = await dial(attacked.port)
    raw.write(header('198.51.100.7'))
    const tls = connectTls({ socket: raw, servername: 'localhost', rejectUnauthorized: false })
    tls.write(GET)
    await vi.waitFor(() => expect(attacked.upstream.received).toHaveLength(1), POLL)
    const end = readToEnd(tls)
    tls.write(ask('POST', '/p', 'content-length: 2\r\n', 'hi'))
    expect(statuses(await end)).toEqual([200, 200])
    expect(attacked.upstream.received).toHaveLength(2)
    for (const request of attacked.upstream.received)
      expect(request).toContain('x-forwarded-for: 198.51.100.7\r\n')
  })

  test('may bring its header and the request in one piece, or half of both', async () => {
    for (const parts of [
      [header('198.51.100.8') + ask('GET', '/')],
      [
        'PROXY TCP4 198.51.100.8 192.0.2.1 1 443\r\nGET / HT',
        'TP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n',
      ],
    ]) {
      const socket = await dial(attacked.httpPort)
      const answer = readToEnd(socket)
      for (const part of parts) await new Promise((resolve) => socket.write(part, resolve))
      expect(statuses(await answer)).toEqual([308])
    }
  })

  test('does not inherit the client of one that had the same ends before', async () => {
    const first = await dial(attacked.httpPort)
    const localPort = first.localPort as number
    first.write(header('198.51.100.7') + ask('GET', '/'))
    await readToEnd(first)
    await attacked.apply({ trustedProxies: [] })
    attacked.upstream.answer = (socket) => void socket.end('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n')
    const again = connectTls({
      host: '127.0.0.1',
      port: attacked.port,
      localAddress: PROXY,
      localPort,
      rejectUnauthorized: false,
      servername: 'localhost',
    } as never)
    again.write(ask('GET', '/'))
    await readToEnd(again)
    expect(attacked.upstream.received.join('')).toContain(`x-forwarded-for: ${PROXY}\r\n`)
  })
})

describe('what is refused is closed, and said in the log', () => {
  test.each([
    ['no header', ask('GET', '/'), /127\.0\.0\.2: a trusted proxy sent no PROXY header/],
    ['another protocol', '\x16\x03\x01\x00\x05hello', /127\.0\.0\.2: a trusted proxy sent no PROXY header/],
    [
      'a malformed one',
      'PROXY TCP9 a b 1 2\r\n',
      /127\.0\.0\.2: the PROXY header is malformed: it names no protocol/,
    ],
    ['one without end', `PROXY ${'x'.repeat(200)}`, /malformed: its line has no end within 107 bytes/],
  ])('%s', async (_name, bytes, line) => {
    for (const port of [attacked.port, attacked.httpPort]) {
      const before = attacked.log.length
      const socket = await dial(port)
      socket.write(bytes, 'latin1')
      expect(await readToEnd(socket)).toBe('')
      expect(refusals(before)).toEqual([expect.stringMatching(line)])
    }
  })

  test('one that ends in the middle; one that says nothing at all is no news', async () => {
    const before = attacked.log.length
    const silent = await dial(attacked.port)
    silent.end()
    await readToEnd(silent)
    const half = await dial(attacked.port)
    half.end('PROXY TCP4 198')
    await readToEnd(half)
    expect(refusals(before)).toEqual([`${PROXY}: the connection ended within the PROXY header`])
  })

  test('one that is slow', async () => {
    const before = attacked.log.length
    const sockets = await Promise.all([attacked.port, attacked.httpPort].map((port) => dial(port)))
    for (const socket of sockets) socket.write('PROXY TCP4 ')
    expect(await Promise.all(sockets.map((socket) => readToEnd(socket)))).toEqual(['', ''])
    expect(refusals(before)).toEqual([
      expect.stringContaining('no whole PROXY header within 5000 ms'),
      expect.stringContaining('no whole PROXY header within 5000 ms'),
    ])
  })

  test('a header from somebody else', async () => {
    const before = attacked.log.length
    for (const bytes of [
      header('198.51.100.7'),
      '\r\n\r\n\0\r\nQUIT\n!\x11\0\x0c\xc6\x33\x64\x07\xc0\0\x02\x01\xdc\x04\x01\xbb',
    ]) {
      const socket = await dial(attacked.httpPort, '127.0.0.3')
      socket.write(bytes + ask('GET', '/'), 'latin1')
      expect(await readToEnd(socket)).toBe('')
    }
    expect(refusals(before)).toEqual(
      Array(2).fill('127.0.0.3: a PROXY header came from an address outside gateway.trusted_proxies'),
    )
  })

  test('nothing of it reached the application', () => {
    expect(attacked.upstream.received).toEqual([])
  })
})

test('connections are counted for the client, not for the load balancer', async () => {
  const sockets: Socket[] = []
  for (let n = 0; n < MAX_CONNECTIONS_PER_CLIENT; n++) {
    const socket = await dial(attacked.httpPort)
    socket.write(`${header('198.51.100.9')}GET`)
    sockets.push(socket)
  }
  const served = async (client: string): Promise<number[]> => {
    const socket = await dial(attacked.httpPort)
    socket.write(header(client) + ask('GET', '/'))
    return statuses(await readToEnd(socket))
  }
  await vi.waitFor(async () => expect(await served('198.51.100.9')).toEqual([]), POLL)
  expect(await served('198.51.100.10')).toEqual([308])
  for (const socket of sockets) socket.destroy()
  await vi.waitFor(async () => expect(await served('198.51.100.9')).toEqual([308]), POLL)
})

test('a flood of refusals does not fill the log', async () => {
  const before = attacked.log.length
  for (let n = 0; n < 60; n++) {
    const socket = await dial(attacked.httpPort)
    socket.write('x')
    await readToEnd(socket)
  }
  // Two minutes may have been touched.
  expect(attacked.log.length - before).toBeLessThanOrEqual(40)
})
