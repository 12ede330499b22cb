import { constants } from 'node:crypto'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { MAX_CONNECTIONS_PER_CLIENT, MAX_PIPELINED } from './limits.ts'
import { type AttackedGateway, ask, readToEnd, startAttackedGateway, statuses } from './security.fixture.ts'

const POLL = { timeout: 60_000, interval: 10 }
/** What a visitor may have to wait while somebody else attacks, on two busy cores. */
const RESPONSIVE_MS = 30_000

let attacked: AttackedGateway
const sockets: Socket[] = []
beforeAll(async () => {
  attacked = await startAttackedGateway()
})
afterAll(() => attacked.close())
beforeEach(() => {
  attacked.upstream.received.length = 0
})
afterEach(async () => {
  const open = sockets.splice(0).filter((socket) => !socket.closed)
  await Promise.all(
    open.map((socket) => {
      const closed = new Promise((resolve) => socket.once('close', resolve))
      socket.destroy()
      return closed
    }),
  )
})

function plain(): Socket {
  const socket = connect({ host: '127.0.0.1', port: attacked.httpPort })
  socket.on('error', () => undefined).resume()
  sockets.push(socket)
  return socket
}

/** Connections that say nothing; some at a time, as many as fit into the queue of the kernel. */
async function silentOnes(count: number): Promise<Socket[]> {
  const all: Socket[] = []
  while (all.length < count) {
    const some = Array.from({ length: 100 }, () => plain())
    await Promise.all(some.map((socket) => once(socket, 'connect')))
    all.push(...some)
  }
  return all
}

async function secure(): Promise<TLSSocket> {
  const socket = attacked.open()
  socket.on('error', () => undefined)
  sockets.push(socket)
  await once(socket, 'secureConnect')
  return socket
}

async function expectResponsive(): Promise<void> {
  const began = performance.now()
  expect(statuses(await attacked.send(ask('GET', '/visitor')))).toEqual([200])
  expect(performance.now() - began).toBeLessThan(RESPONSIVE_MS)
}

describe('others are served while', () => {
  test('hundreds of connections send their header fields slowly', async () => {
    const slow = await Promise.all(Array.from({ length: 200 }, () => secure()))
    for (const socket of slow) socket.write('GET / HTTP/1.1\r\nhost: localhost\r\nx-a')
    await expectResponsive()
    for (const socket of slow) socket.write(': b\r\nx-c')
    await expectResponsive()
    expect(attacked.upstream.received.filter((text) => text !== '')).toHaveLength(2)
  })

  test('hundreds of bodies come slowly', async () => {
    const slow = await Promise.all(Array.from({ length: 200 }, () => secure()))
    for (const socket of slow)
      socket.write('POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9999\r\n\r\na')
    await expectResponsive()
  })

  test('a thousand connections say nothing', async () => {
    await silentOnes(1000)
    await expectResponsive()
  })

  test('somebody sends garbage without end', async () => {
    const noisy = await secure()
    const ended = readToEnd(noisy)
    noisy.write(Buffer.alloc(1_000_000, 0xff))
    await expectResponsive()
    expect(await ended).toMatch(/^HTTP\/1\.1 400 |^$/)
  })
})

test.each([
  ['one endless header field', `x: ${'y'.repeat(1_000_000)}`, 431],
  ['an endless name', 'y'.repeat(1_000_000), 431],
  ['many header fields', 'x: y\r\n'.repeat(300), 431],
  ['very many header fields', 'x: y\r\n'.repeat(100_000), 431],
])('%s: refused', async (_name, fields, status) => {
  const answer = await attacked.send(`GET / HTTP/1.1\r\nhost: localhost\r\n${fields}\r\n\r\n`)
  // A client that is still sending when the connection closes may lose the answer.
  expect([[status], []]).toContainEqual(statuses(answer))
  expect(attacked.upstream.received).toEqual([])
  await expectResponsive()
})

test('a URL without end is refused, one of 8000 characters is not', async () => {
  expect(statuses(await attacked.send(ask('GET', `/${'x'.repeat(8000)}`)))).toEqual([200])
  const answer = await attacked.send(ask('GET', `/${'x'.repeat(40_000)}`))
  expect(statuses(answer)).toEqual([431])
})

test('requests sent ahead without waiting reach the application only up to a bound', async () => {
  const waiting: Socket[] = []
  const before = attacked.upstream.answer
  attacked.upstream.answer = (socket) => void waiting.push(socket)
  try {
    const socket = await secure()
    const ended = readToEnd(socket)
    socket.write('GET /p HTTP/1.1\r\nhost: localhost\r\n\r\n'.repeat(5000))
    expect(await ended).toBe('')
    expect(attacked.upstream.received.length).toBeLessThanOrEqual(MAX_PIPELINED)
  } finally {
    attacked.upstream.answer = before
  }
  await expectResponsive()
})

test('a few requests sent ahead are answered in their order', async () => {
  const socket = await secure()
  const ended = readToEnd(socket)
  socket.write('GET /p HTTP/1.1\r\nhost: localhost\r\n\r\n'.repeat(5) + ask('GET', '/p'))
  expect(statuses(await ended)).toEqual([200, 200, 200, 200, 200, 200])
})

test('one client has a bounded number of connections; when they end it may come again', async () => {
  const held = await silentOnes(MAX_CONNECTIONS_PER_CLIENT)
  const refused = plain()
  await once(refused, 'close')
  // Another address of this machine is another client.
  const other = attacked.open({ localAddress: '127.0.0.2' })
  other.write(ask('GET', '/visitor'))
  expect(statuses(await readToEnd(other))).toEqual([200])
  await attacked.apply({ trustedProxies: ['127.0.0.1'] })
  await expectResponsive()
  await attacked.apply({})
  for (const socket of held) socket.destroy()
  await vi.waitFor(() => expectResponsive(), POLL)
})

test('TLS: nothing old, and no second handshake on a connection', async () => {
  const old = attacked.open({ maxVersion: 'TLSv1.1', minVersion: 'TLSv1', ciphers: 'ALL:@SECLEVEL=0' })
  const [error] = (await once(old, 'error')) as [NodeJS.ErrnoException]
  expect(error.code).toMatch(/PROTOCOL|VERSION/)
  const socket = attacked.open({
    maxVersion: 'TLSv1.2',
    secureOptions: constants.SSL_OP_LEGACY_SERVER_CONNECT,
  })
  sockets.push(socket)
  socket.on('error', () => undefined)
  await once(socket, 'secureConnect')
  const renegotiated = await new Promise<boolean>((resolve) => {
    socket.renegotiate({ rejectUnauthorized: false }, (failure) => resolve(failure === null))
    socket.once('close', () => resolve(false))
  })
  expect(renegotiated).toBe(false)
  await expectResponsive()
})

test('memory stays bounded while clients read nothing of large answers', async () => {
  const before = attacked.upstream.answer
  let sent = 0
  attacked.upstream.answer = (socket) => {
    socket.write('HTTP/1.1 200 OK\r\ncontent-type: application/octet-stream\r\n\r\n')
    const more = (): void => {
      while (sent < 2_000_000_000 && socket.write(Buffer.alloc(100_000))) sent += 100_000
    }
    socket.on('drain', more)
    more()
  }
  const readers = await Promise.all(Array.from({ length: 10 }, () => secure()))
  for (const reader of readers) reader.pause().write(ask('GET', '/large'))
  await vi.waitFor(() => expect(attacked.upstream.received).toHaveLength(10), POLL)
  // What is sent stops growing: the gateway takes no more than it can pass on.
  let last = -1
  await vi.waitFor(
    () => {
      const now = sent
      const stopped = now === last
      last = now
      expect(stopped).toBe(true)
    },
    { timeout: 60_000, interval: 300 },
  )
  attacked.upstream.answer = before
  await expectResponsive()
  expect(sent).toBeLessThan(200_000_000)
})
