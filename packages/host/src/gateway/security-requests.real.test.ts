import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type AttackedGateway, ask, startAttackedGateway, statuses } from './security.fixture.ts'

let attacked: AttackedGateway
beforeAll(async () => {
  attacked = await startAttackedGateway()
})
afterAll(() => attacked.close())
beforeEach(() => {
  attacked.upstream.received.length = 0
})

const HIDDEN = 'GET /hidden HTTP/1.1\r\nhost: localhost\r\nx-forwarded-for: 6.6.6.6\r\n\r\n'
const CHUNKED = '5\r\nhello\r\n0\r\n\r\n'
const post = (fields: string, body: string): string => ask('POST', '/p', `${fields}\r\n`, body + HIDDEN)

/** What reached the application, as one text. */
const arrived = (): string => attacked.upstream.received.join('\n----\n')

describe('where a request ends', () => {
  test.each([
    ['both a length and chunks', 'content-length: 5\r\ntransfer-encoding: chunked'],
    ['chunks and then a length', 'transfer-encoding: chunked\r\ncontent-length: 5'],
    ['another coding last', 'transfer-encoding: chunked, identity'],
    ['another coding first', 'transfer-encoding: gzip, chunked'],
    ['an unknown coding', 'transfer-encoding: xchunked'],
    ['identity', 'transfer-encoding: identity'],
    ['a quoted coding', 'transfer-encoding: "chunked"'],
    ['a coding with a parameter', 'transfer-encoding: chunked;q=1'],
    ['chunks twice', 'transfer-encoding: chunked, chunked'],
    ['two codings', 'transfer-encoding: identity\r\ntransfer-encoding: chunked'],
    ['a vertical tab', 'transfer-encoding: chunked\x0b'],
    ['a space before the colon', 'transfer-encoding : chunked'],
    ['a folded coding', 'transfer-encoding:\r\n chunked'],
    ['a folded field', 'x: y\r\n content-length: 5'],
    ['two lengths', 'content-length: 5\r\ncontent-length: 5'],
    ['two different lengths', 'content-length: 5\r\ncontent-length: 50'],
    ['a list of lengths', 'content-length: 5, 50'],
    ['a length with a sign', 'content-length: +5'],
    ['a negative length', 'content-length: -1'],
    ['a hexadecimal length', 'content-length: 0x5'],
    ['a length that is too large for any number', `content-length: ${'9'.repeat(30)}`],
    ['an empty length', 'content-length: '],
    ['a bare line feed', 'x: y\ncontent-length: 5'],
    ['a bare carriage return', 'x: y\rcontent-length: 5'],
    ['a NUL', 'x: y\0z'],
  ])('%s: refused, nothing arrives', async (_name, fields) => {
    const answer = await attacked.send(post(fields, CHUNKED))
    expect(statuses(answer)).toEqual([400])
    expect(arrived()).toBe('')
  })

  test.each([
    ['tab before the coding', 'transfer-encoding:\tchunked', CHUNKED],
    ['capitals', 'Transfer-Encoding: CHUNKED', CHUNKED],
    ['leading zeros of a length', 'content-length: 005', 'hello'],
    ['chunk extensions', 'transfer-encoding: chunked', '5;a=b;c="d"\r\nhello\r\n0\r\n\r\n'],
    ['trailers', 'transfer-encoding: chunked', '5\r\nhello\r\n0\r\nx-forwarded-for: 6.6.6.6\r\n\r\n'],
    ['a length under another name', 'content_length: 99\r\ncontent-length: 5', 'hello'],
  ])('%s: one request arrives, framed by the gateway', async (_name, fields, body) => {
    const answer = await attacked.send(ask('POST', '/p', `${fields}\r\n`, body))
    expect(statuses(answer)).toEqual([200])
    expect(arrived()).toMatch(/^POST \/p HTTP\/1\.1\r\n[^]*\r\n\r\n(5\r\nhello\r\n0\r\n\r\n|hello)$/)
    expect(arrived()).not.toMatch(/hidden|6\.6\.6\.6|content_length|trailer/i)
  })

  test.each([
    ['a size beyond all numbers', 'ffffffffffffffffff\r\nabc'],
    ['a negative size', '-1\r\nabc'],
    ['no end of the chunk', '5\r\nhelloXX0\r\n\r\n'],
    ['line feeds alone', '5\nhello\n0\n\n'],
    ['a line feed in an extension', '5;a\nb\r\nhello\r\n0\r\n\r\n'],
    ['an extension without end', `5;${'a'.repeat(100_000)}\r\nhello\r\n0\r\n\r\n`],
  ])('chunks with %s never look whole to the application', async (_name, body) => {
    const answer = await attacked.send(post('transfer-encoding: chunked', body))
    expect(answer).not.toContain(' 200 ')
    expect(arrived()).not.toMatch(/0\r\n\r\n$|hidden/)
  })

  test('the body of a GET stays a body', async () => {
    const length = `content-length: ${HIDDEN.length}\r\n`
    expect(statuses(await attacked.send(ask('GET', '/p', length, HIDDEN)))).toEqual([200])
    expect(attacked.upstream.received.length).toBe(1)
    expect(arrived()).toContain(`content-length: ${HIDDEN.length}\r\n`)
  })

  test.each(['GET', 'DELETE', 'OPTIONS', 'PROPFIND'])(
    'a coding behind thousands of fields hides no body of %s',
    async (method) => {
      const many = `${'a:b\r\n'.repeat(1996)}transfer-encoding: chunked\r\n`
      const body = `${HIDDEN.length.toString(16)}\r\n${HIDDEN}\r\n0\r\n\r\n`
      expect(statuses(await attacked.send(ask(method, '/p', many, body)))).toEqual([431])
      expect(arrived()).toBe('')
    },
  )

  test.each(['content-length: 5', 'transfer-encoding: chunked'])(
    'a websocket handshake has no body (%s)',
    async (field) => {
      const upgrade = `GET /p HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n${field}\r\n\r\n`
      expect(statuses(await attacked.send(upgrade + CHUNKED + HIDDEN))).toEqual([400])
      expect(arrived()).toBe('')
    },
  )

  test('what follows a refused websocket handshake is not read as a request', async () => {
    const upgrade = 'GET /p HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n'
    expect(statuses(await attacked.send(upgrade + HIDDEN))).toEqual([200])
    expect(arrived()).not.toContain('hidden')
  })

  test('a websocket handshake behind a request without answer ends the connection', async () => {
    attacked.upstream.answer = () => undefined
    const first = 'GET /slow HTTP/1.1\r\nhost: localhost\r\n\r\n'
    const upgrade = 'GET /ws HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n'
    expect(await attacked.send(first + upgrade)).toBe('')
    expect(arrived()).not.toContain('/ws')
  })
})

describe('whom a request is for', () => {
  beforeEach(() => {
    attacked.upstream.answer = (socket) =>
      void socket.end('HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok')
  })
  const to = (host: string, target = '/p'): string =>
    `GET ${target} HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`

  test('the host of a whole URL is the only one the application hears of', async () => {
    expect(statuses(await attacked.send(to('evil.example', 'https://localhost/p')))).toEqual([200])
    expect(arrived()).toMatch(/^GET \/p HTTP\/1\.1\r\nhost: localhost\r\n/)
    expect(arrived()).not.toContain('evil')
  })

  test.each([
    'localhost\r\nhost: evil.example',
    'localhost\r\nHost: localhost',
    'localhost\r\nHOST:',
    'user@localhost',
    'localhost, evil.example',
    'localhost/..',
    'localhost?x',
    'localhost#x',
    'localhost%00',
    'local%68ost',
    'localhost:',
    'localhost:99999',
    'localhost:80:80',
    'localhost\t.evil',
    '[localhost]',
    '',
  ])('Host %j is refused', async (host) => {
    expect(statuses(await attacked.send(to(host)))).toEqual([400])
    expect(arrived()).toBe('')
  })

  test.each([
    'evil.example',
    'localhost..',
    '.localhost',
    'localhost.evil.example',
    '[::1]',
    '127.0.0.1',
    '__proto__',
  ])('Host %s is nobody here', async (host) => {
    expect(statuses(await attacked.send(to(host)))).toEqual([421])
    expect(arrived()).toBe('')
  })

  test.each(['LOCALHOST', 'localhost.', 'localhost:8443'])('Host %s is served', async (host) => {
    expect(statuses(await attacked.send(to(host)))).toEqual([200])
  })

  test.each([
    '*',
    'evil.example:443',
    '\\\\evil.example',
    '/a#b',
    '/a b',
    '/a\x80b',
    'https://user:word@localhost/',
    'http://localhost\\@evil.example/',
    'ftp://localhost/x',
    'https:localhost/x',
    'file:///etc/passwd',
    'https://',
  ])('target %j is refused', async (target) => {
    expect(statuses(await attacked.send(to('localhost', target)))).toEqual([400])
    expect(arrived()).toBe('')
  })

  test.each([
    '//evil.example/x',
    '/..//../etc/passwd',
    '/%2e%2e/x',
    '/%0d%0aset-cookie:a',
    '/?u=https://evil.example',
  ])('path %s arrives as it is, at the application and nowhere else', async (path) => {
    expect(statuses(await attacked.send(to('localhost', path)))).toEqual([200])
    expect(arrived().split(' ')[1]).toBe(path)
  })

  test.each([
    ['TRACE', 'TRACE /p HTTP/1.1', 405],
    ['another version', 'GET /p HTTP/2.0', 400],
    ['an unknown version', 'GET /p HTTP/1.2', 400],
    ['no version', 'GET /p', 400],
    ['the preface of HTTP/2', 'PRI * HTTP/2.0', 400],
    ['a method in small letters', 'get /p HTTP/1.1', 400],
    ['a method of its own', 'FOO /p HTTP/1.1', 400],
    ['OPTIONS *', 'OPTIONS * HTTP/1.1', 400],
  ])('%s is refused', async (_name, line, status) => {
    const answer = await attacked.send(`${line}\r\nhost: localhost\r\nconnection: close\r\n\r\n`)
    expect(statuses(answer)).toEqual([status])
    expect(arrived()).toBe('')
  })

  test('no tunnels: CONNECT ends the connection', async () => {
    expect(await attacked.send(ask('CONNECT', '127.0.0.1:22'))).toBe('')
    expect(arrived()).toBe('')
  })

  test('HTTP/1.0 is served without interim answers, and may not use chunks', async () => {
    const old = (more: string): string => `POST /p HTTP/1.0\r\nhost: localhost\r\n${more}`
    const expecting = await attacked.send(old('expect: 100-continue\r\ncontent-length: 2\r\n\r\nhi'))
    expect(expecting).toMatch(/^HTTP\/1\.1 200 /)
    const chunks = await attacked.send(old(`transfer-encoding: chunked\r\n\r\n${CHUNKED}`))
    expect(statuses(chunks)).toEqual([400])
  })
})
