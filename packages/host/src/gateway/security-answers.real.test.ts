import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type AttackedGateway, ask, startAttackedGateway, statuses } from './security.fixture.ts'

let attacked: AttackedGateway
beforeAll(async () => {
  attacked = await startAttackedGateway()
})
afterAll(() => attacked.close())

/** What a client gets while the application answers with exactly these bytes. */
async function answeredWith(bytes: string, request = ask('GET', '/p')): Promise<string> {
  attacked.upstream.answer = (socket) => void socket.end(bytes, 'latin1')
  return await attacked.send(request)
}

const HANDSHAKE = 'GET /p HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n'

describe('an application that answers badly', () => {
  test.each([
    ['control characters in the reason', 'HTTP/1.1 200 O\x01K\r\ncontent-length: 2\r\n\r\nok', 200],
    ['NUL in the reason', 'HTTP/1.1 200 O\0K\r\ncontent-length: 2\r\n\r\nok', 200],
    ['status 000', 'HTTP/1.1 000 OK\r\ncontent-length: 2\r\n\r\nok', 502],
    ['status 999', 'HTTP/1.1 999 OK\r\ncontent-length: 2\r\n\r\nok', 999],
    ['a status that is none', 'HTTP/1.1 42 OK\r\ncontent-length: 2\r\n\r\nok', 503],
    [
      'another protocol that nobody asked for',
      'HTTP/1.1 101 S\r\nconnection: upgrade\r\nupgrade: x\r\n\r\nabc',
      503,
    ],
    ['two lengths', 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok', 503],
    [
      'a length and chunks',
      'HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n',
      503,
    ],
    ['no HTTP', 'hello\r\n\r\n', 503],
    ['header fields without end', `HTTP/1.1 200 OK\r\n${`x: ${'y'.repeat(500)}\r\n`.repeat(500)}\r\n`, 503],
    ['control characters in a field', 'HTTP/1.1 200 OK\r\nx: a\x01b\r\n\r\n', 503],
    ['a bare carriage return', 'HTTP/1.1 200 OK\r\nx: a\rset-cookie: evil=1\r\n\r\n', 503],
    ['a bare line feed', 'HTTP/1.1 200 OK\r\nx: a\nset-cookie: evil=1\r\n\r\n', 503],
    ['a name with a space', 'HTTP/1.1 200 OK\r\nx y: a\r\n\r\n', 503],
    ['nothing', '', 503],
    [
      'an interim answer that nobody asked for',
      'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok',
      200,
    ],
    ['interim answers only', 'HTTP/1.1 100 Continue\r\n\r\n'.repeat(10_000), 503],
    [
      'many interim answers',
      `${'HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n'.repeat(10_000)}HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok`,
      200,
    ],
  ])('%s', async (_name, bytes, status) => {
    const answer = await answeredWith(bytes)
    expect(statuses(answer)).toEqual([status])
    for (const bad of ['\0', '\x01', 'evil']) expect(answer).not.toContain(bad)
    expect(answer).toContain('x-request-id')
    // The gateway lives on.
    expect(await answeredWith('HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nfine')).toContain('fine')
  })

  test('a second answer behind the first never reaches another client', async () => {
    const two =
      'HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nfirstHTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil'
    expect(await answeredWith(two)).toMatch(/first$/)
    for (let round = 0; round < 5; round++) {
      expect(await answeredWith('HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ngood')).toMatch(/good$/)
    }
  })

  test('an answer that ends early never looks whole', async () => {
    const short = await answeredWith('HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\nok')
    expect(short).toMatch(/content-length: 20\r\n[^]*\r\n\r\nok$/)
    const chunked = await answeredWith('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n')
    expect(chunked).not.toMatch(/0\r\n\r\n$/)
  })

  test('204 has no body, whatever its length says', async () => {
    const answer = await answeredWith('HTTP/1.1 204 No Content\r\ncontent-length: 2\r\n\r\nok')
    expect(answer).toMatch(/^HTTP\/1\.1 204 /)
    expect(answer).not.toMatch(/content-length|ok$/)
  })

  test('fields about its own connection stay there, also those it nominates', async () => {
    const answer = await answeredWith(
      'HTTP/1.1 200 OK\r\nconnection: x-hop, content-length, close\r\nx-hop: 1\r\nkeep-alive: timeout=1\r\nproxy-authenticate: Basic\r\nx-request-id: forged-by-app\r\ncontent-length: 2\r\n\r\nok',
    )
    expect(answer).not.toMatch(/x-hop|keep-alive|proxy-auth|forged/)
    expect(answer).toMatch(/content-length: 2\r\n[^]*ok$/)
  })

  test('fields arrive byte for byte, those of one name joined, of types the first', async () => {
    const answer = await answeredWith(
      'HTTP/1.1 200 OK\r\nx-name: M\xfcller \xc3\xbc\r\ncontent-type: text/plain\r\ncontent-type: text/html\r\nvary: a\r\nvary: b\r\ncontent-length: 2\r\n\r\nok',
    )
    expect(answer).toContain('x-name: M\xfcller \xc3\xbc\r\n')
    expect(answer).toContain('content-type: text/plain\r\n')
    expect(answer).toContain('vary: a, b\r\n')
    expect(answer).not.toContain('text/html')
  })

  test('a refused websocket handshake comes out as one clean answer', async () => {
    const answer = await answeredWith(
      'HTTP/1.1 403 N\x01o\r\ncontent-length: 2\r\nconnection: keep-alive\r\n\r\nnoHTTP/1.1 200 OK\r\n\r\nevil',
      HANDSHAKE,
    )
    expect(answer).toMatch(/^HTTP\/1\.1 403 Forbidden\r\n/)
    expect(answer).toMatch(/x-request-id[^]*connection: close\r\n\r\nno$/)
  })
})

describe('the service page', () => {
  const HOSTILE = '</p><script>alert(1)</script>\r\nset-cookie: evil=1\r\n\r\n"\u2028\0<!--'
  beforeEach(() =>
    attacked.apply({
      service: { code: 'MANUAL', title: HOSTILE, reason: HOSTILE, since: '2026-11-20T09:00:00Z' },
    }),
  )

  test('hostile text in a reason is only text', async () => {
    const page = await attacked.send(ask('GET', '/<script>'))
    const [head = '', body = ''] = page.split(/\r\n\r\n(.*)/s)
    expect(head).toMatch(/^HTTP\/1\.1 503 /)
    expect(head).not.toMatch(/evil|script>|set-cookie/)
    expect(body).not.toMatch(/<script|<!--|<\/p><s/)
    expect(body).toContain('&lt;script&gt;alert(1)&lt;/script&gt;')
    expect(head).toMatch(/content-security-policy: default-src 'none'/)
  })

  test('also as JSON', async () => {
    const page = await attacked.send(ask('GET', '/', 'accept: application/json\r\n'))
    expect(
      JSON.parse(Buffer.from(page.split('\r\n\r\n').at(-1) as string, 'latin1').toString()),
    ).toMatchObject({
      reason: HOSTILE,
      title: HOSTILE,
    })
    expect(page).toMatch(/content-type: application\/json[^]*x-content-type-options: nosniff/)
  })

  test.each(['<script>alert(1)</script>', 'a'.repeat(5000), 'forged-id-0001', "';--", '${7*7}'])(
    'a request id of the client is not shown: %s',
    async (id) => {
      const page = await attacked.send(ask('GET', '/', `x-request-id: ${id}\r\n`))
      expect(page).not.toContain(id)
    },
  )

  test('also from a trusted proxy an id is only letters and digits', async () => {
    await attacked.apply({ trustedProxies: ['127.0.0.1'], service: undefined, routes: [] })
    const evil = await attacked.send(ask('GET', '/', 'x-request-id: <b>evil</b>\r\n'))
    expect(evil).not.toContain('evil')
    const good = await attacked.send(ask('GET', '/', 'x-request-id: from-proxy-1\r\n'))
    expect(good).toContain('x-request-id: from-proxy-1')
  })
})
