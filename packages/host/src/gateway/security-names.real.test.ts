import { once } from 'node:events'
import { connect } from 'node:http2'
import { connect as connectPlain } from 'node:net'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type AttackedGateway, ask, readToEnd, startAttackedGateway, statuses } from './security.fixture.ts'

const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0'
const REASON = { code: 'UPDATE', reason: 'An update is under way.', since: '2026-11-20T09:00:00Z' }

let attacked: AttackedGateway
beforeAll(async () => {
  attacked = await startAttackedGateway()
})
afterAll(() => attacked.close())
beforeEach(async () => {
  attacked.upstream.received.length = 0
  await attacked.apply({})
})

const arrived = (): string => attacked.upstream.received.join('\n----\n')
const to = (host: string, target = '/p'): Buffer =>
  Buffer.from(`GET ${target} HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`)

async function sendPlain(bytes: string | Buffer): Promise<string> {
  const socket = connectPlain(attacked.httpPort, '127.0.0.1')
  socket.write(bytes, 'latin1')
  return await readToEnd(socket)
}

describe('HTTP/2 is not spoken', () => {
  test('a client that wants nothing else gets no connection', async () => {
    const session = connect(`https://127.0.0.1:${attacked.port}`, { rejectUnauthorized: false })
    const [error] = (await once(session, 'error')) as [NodeJS.ErrnoException]
    expect(error.code).toMatch(/ALPN|NO_APPLICATION_PROTOCOL|ERR_HTTP2/)
    session.destroy()
    expect(arrived()).toBe('')
  })

  test('one that offers it gets HTTP/1.1', async () => {
    const socket = attacked.open({ ALPNProtocols: ['h2', 'http/1.1'] })
    socket.write(ask('GET', '/p'))
    expect(statuses(await readToEnd(socket))).toEqual([200])
    expect(socket.alpnProtocol).toBe('http/1.1')
  })

  test.each(['TLS', 'plain HTTP'])('its preface is refused over %s', async (over) => {
    const answer = await (over === 'TLS' ? attacked.send(PREFACE) : sendPlain(PREFACE))
    expect(statuses(answer)).toEqual([400])
    expect(arrived()).toBe('')
  })

  test('an upgrade to it is an ordinary request, after which the connection ends', async () => {
    const upgrade =
      'upgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAAP__\r\nconnection: upgrade, http2-settings\r\n'
    const answer = await attacked.send(
      `GET /p HTTP/1.1\r\nhost: localhost\r\n${upgrade}\r\nGET /behind HTTP/1.1\r\nhost: localhost\r\n\r\n`,
    )
    expect(statuses(answer)).toEqual([200])
    expect(answer).toMatch(/\r\nconnection: close\r\n/i)
    expect(arrived()).not.toMatch(/h2c|http2-settings|behind/i)
  })
})

describe('the name in the handshake', () => {
  const served = async (servername: string, host = 'localhost'): Promise<number[]> => {
    const socket = attacked.open({ servername })
    socket.write(to(host))
    return statuses(await readToEnd(socket))
  }

  test('opens nothing: who is asked for is in the request alone', async () => {
    expect(await served('localhost', 'other.example')).toEqual([421])
    expect(arrived()).toBe('')
    expect(await served('other.example', 'localhost')).toEqual([200])
    expect(arrived()).toContain('x-forwarded-host: localhost\r\n')
    expect(arrived()).not.toContain('other.example')
  })

  test.each(['LOCALHOST', 'localhost.', '*.localhost', `${'a'.repeat(63)}.localhost`, '__proto__', '-'])(
    'may be %s without harm',
    async (servername) => {
      expect(await served(servername)).toEqual([200])
    },
  )
})

describe('host names of other alphabets', () => {
  test.each([
    'lo\u00e4calhost',
    '\u24dbocalhost',
    'localhost\u3002',
    '\u202elocalhost',
    'localho\u017ft',
    '\uff4cocalhost',
  ])('%j is no name', async (host) => {
    const socket = attacked.open()
    socket.write(to(host))
    expect(statuses(await readToEnd(socket))).toEqual([400])
    expect(arrived()).toBe('')
  })

  test('one in ASCII form is a name like any other', async () => {
    const socket = attacked.open()
    socket.write(to('xn--bcher-kva.localhost'))
    expect(statuses(await readToEnd(socket))).toEqual([421])
  })
})

describe('whole URLs as target', () => {
  test.each([
    ['HTTPS://LOCALHOST/p', 200],
    ['https://localhost.:443/p', 200],
    ['http://localhost/p', 200],
    ['https://evil.example/p', 421],
    ['https://localhost@evil.example/p', 400],
    ['https://evil.example@localhost/p', 400],
    ['https://localhost:99999/p', 400],
    ['https:///p', 400],
  ])('%s: %i', async (target, status) => {
    expect(statuses(await attacked.send(to('localhost', target)))).toEqual([status])
    expect(arrived()).not.toContain('evil')
  })
})

test('a websocket handshake tells the truth about its client as well', async () => {
  const forged = [
    'x-forwarded-for: 6.6.6.6',
    'X_Forwarded_For: 6.6.6.6',
    'x-ssl-client-verify: SUCCESS',
    'x.real.ip: 6.6.6.6',
  ]
  const fields = ['host: localhost', 'connection: upgrade, x-forwarded-for', 'upgrade: websocket', ...forged]
  await attacked.send(`GET /ws HTTP/1.1\r\n${fields.join('\r\n')}\r\n\r\n`)
  expect(arrived()).toContain('x-forwarded-for: 127.0.0.1\r\n')
  expect(arrived()).not.toMatch(/6\.6\.6\.6|SUCCESS/)
})

test.each(['CONNECT', 'TRACE', 'TRACK', 'DEBUG'])('%s of our own address reaches nothing', async (method) => {
  for (const target of ['/', `127.0.0.1:${attacked.upstream.endpoint.port}`, 'localhost:443'])
    expect(await attacked.send(ask(method, target))).not.toContain(' 200 ')
  expect(arrived()).toBe('')
})

describe('the service page', () => {
  test.each([
    '/../../../../etc/passwd',
    '/..%2f..%2f..%2fetc%2fpasswd',
    '/%2e%2e/%2e%2e/config.json',
    '/..\\..\\etc\\passwd',
    '/.%00/etc/passwd',
    '//etc/passwd',
    '/<script>alert(1)</script>',
    '/?next=https://evil.example',
  ])('says the same at %s, and nothing of the path', async (path) => {
    await attacked.apply({ service: REASON })
    for (const answer of [
      await attacked.send(to('localhost', path)),
      await sendPlain(to('localhost', path)),
    ]) {
      expect(statuses(answer)).toEqual([503])
      expect(answer).toContain('An update is under way.')
      expect(answer).not.toMatch(/root:|passwd|alert\(1\)|evil\.example|location:/i)
    }
    expect(arrived()).toBe('')
  })
})
