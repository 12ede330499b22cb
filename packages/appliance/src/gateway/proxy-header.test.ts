import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type ProxyHeader, parseProxyHeader } from './proxy-header.ts'

const SIGNATURE = Buffer.from('0d0a0d0a000d0a515549540a', 'hex')
const BODY = Buffer.from([0x16, 0x03, 0x01, 0x00])

/** A header of version 2. */
function binary(command: number, family: number, content: Buffer, length = content.length): Buffer {
  const fixed = Buffer.from([0x20 | command, family, length >> 8, length & 0xff])
  return Buffer.concat([SIGNATURE, fixed, content])
}

const parse = (text: string): ProxyHeader => parseProxyHeader(Buffer.from(text, 'latin1'))
const ports = Buffer.from([0xdb, 0xa0, 0x01, 0xbb])
const ipv4 = (address: string): Buffer => Buffer.from(address.split('.').map(Number))
const tcp4 = (address: string): Buffer =>
  binary(1, 0x11, Buffer.concat([ipv4(address), ipv4('192.0.2.1'), ports]))
const tcp6 = (hex: string, extra = ''): Buffer =>
  binary(1, 0x21, Buffer.concat([Buffer.from(hex + hex, 'hex'), ports, Buffer.from(extra, 'hex')]))

describe('version 1', () => {
  test.each([
    ['PROXY TCP4 198.51.100.7 192.0.2.1 56324 443\r\n', '198.51.100.7'],
    ['PROXY TCP6 2001:DB8:0:0::7 2001:db8::1 56324 443\r\n', '2001:db8::7'],
    ['PROXY TCP6 ::ffff:198.51.100.7 ::1 0 65535\r\n', '198.51.100.7'],
    ['PROXY UNKNOWN\r\n', undefined],
    ['PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n', undefined],
  ])('%j speaks for %s', (line, client) => {
    expect(parse(`${line}GET / HTTP/1.1\r\n`)).toEqual({ kind: 'complete', length: line.length, client })
  })

  test.each([
    'PROXY \r\n',
    'PROXY TCP4\r\n',
    'PROXY TCP5 198.51.100.7 192.0.2.1 1 2\r\n',
    'PROXY tcp4 198.51.100.7 192.0.2.1 1 2\r\n',
    'PROXY TCP4 198.51.100.7 192.0.2.1 1\r\n',
    'PROXY TCP4 198.51.100.7 192.0.2.1 1 2 3\r\n',
    'PROXY TCP4  198.51.100.7 192.0.2.1 1 2\r\n',
    'PROXY TCP4 198.51.100.7 192.0.2.1 1 2 \r\n',
    'PROXY TCP4 198.51.100.7 192.0.2.1 1 65536\r\n',
    'PROXY TCP4 198.51.100.7 192.0.2.1 01 2\r\n',
    'PROXY TCP4 198.51.100.7 192.0.2.1 -1 2\r\n',
    'PROXY TCP4 198.51.100.256 192.0.2.1 1 2\r\n',
    'PROXY TCP4 198.51.100.07 192.0.2.1 1 2\r\n',
    'PROXY TCP4 ::1 ::2 1 2\r\n',
    'PROXY TCP4 evil, 192.0.2.1 1 2\r\n',
    'PROXY TCP6 198.51.100.7 192.0.2.1 1 2\r\n',
    'PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n',
    'PROXY TCP6 [::1] ::1 1 2\r\n',
    'PROXY UNKNOWN \0\r\n',
    'PROXY UNKNOWN a\nb\r\n',
    `PROXY UNKNOWN ${'a'.repeat(92)}\r\n`,
    'PROXY '.padEnd(107, 'x'),
  ])('%j is malformed', (line) => {
    expect(parse(line)).toMatchObject({ kind: 'malformed' })
  })
})

describe('version 2', () => {
  test.each([
    ['IPv4', tcp4('198.51.100.7'), '198.51.100.7'],
    ['IPv6', tcp6('20010db8000000000000000000000007'), '2001:db8::7'],
    ['IPv4 in IPv6', tcp6('00000000000000000000ffffc6336407'), '198.51.100.7'],
    ['more fields behind the addresses', tcp6('20010db8000000000000000000000007', '040001ff'), '2001:db8::7'],
    ['the proxy itself', binary(0, 0x00, Buffer.alloc(0)), undefined],
    ['the proxy itself, with addresses', binary(0, 0x11, Buffer.alloc(12, 6)), undefined],
    ['addresses it does not say', binary(1, 0x00, Buffer.alloc(7)), undefined],
    ['a unix socket', binary(1, 0x31, Buffer.alloc(216, 0x61)), undefined],
  ])('%s', (_name, header, client) => {
    const parsed = parseProxyHeader(Buffer.concat([header, BODY]))
    expect(parsed).toEqual({ kind: 'complete', length: header.length, client })
  })

  test.each([
    ['version 1', Buffer.concat([SIGNATURE, Buffer.from([0x11, 0x11, 0, 12]), Buffer.alloc(12)])],
    ['an unknown command', binary(2, 0x11, Buffer.alloc(12))],
    ['UDP', binary(1, 0x12, Buffer.alloc(12))],
    ['an unknown family', binary(1, 0x41, Buffer.alloc(216))],
    ['too few bytes for its addresses', binary(1, 0x21, Buffer.alloc(35))],
    ['a length without end', binary(1, 0x11, Buffer.alloc(12), 65_535)],
  ])('%s is malformed', (_name, header) => {
    expect(parseProxyHeader(header)).toMatchObject({ kind: 'malformed' })
  })
})

test.each([
  'GET / HTTP/1.1\r\n',
  '\x16\x03\x01',
  'PROXYX',
  'PROPFIND /',
  'proxy TCP4',
  '\r\nGET',
  ' PROXY TCP4',
])('%j is no header', (text) => {
  expect(parse(text)).toEqual({ kind: 'none' })
})

const octets = (least: number, most = least) =>
  fc.uint8Array({ minLength: least, maxLength: most }).map((a) => Buffer.from(a))
const header = fc.oneof(
  fc
    .tuple(fc.ipV4(), fc.ipV4(), fc.nat(65_535), fc.nat(65_535))
    .map(([from, to, a, b]) => Buffer.from(`PROXY TCP4 ${from} ${to} ${a} ${b}\r\n`)),
  fc.tuple(fc.constantFrom(0x11, 0x21), octets(36, 300)).map(([family, bytes]) => binary(1, family, bytes)),
)

describe('for every header', () => {
  test('as it comes byte by byte it is unfinished until it is complete; what follows changes nothing', () => {
    fc.assert(
      fc.property(header, octets(0, 40), (bytes, rest) => {
        const whole = parseProxyHeader(bytes)
        expect(whole).toMatchObject({ kind: 'complete', length: bytes.length })
        for (let end = 0; end < bytes.length; end++)
          expect(parseProxyHeader(bytes.subarray(0, end))).toEqual({ kind: 'unfinished' })
        expect(parseProxyHeader(Buffer.concat([bytes, rest]))).toEqual(whole)
      }),
    )
  })

  test('version 1 and 2 name the same client', () => {
    fc.assert(
      fc.property(fc.ipV4(), (address) => {
        expect(parse(`PROXY TCP4 ${address} 192.0.2.1 1 2\r\n`)).toMatchObject({ client: address })
        expect(parseProxyHeader(tcp4(address))).toMatchObject({ client: address })
      }),
    )
  })

  test('no bytes make it throw, wait beyond its bound, or name a client that is no address', () => {
    const start = fc.constantFrom(
      Buffer.alloc(0),
      Buffer.from('PROXY '),
      Buffer.from('PROXY TCP6 '),
      SIGNATURE,
    )
    fc.assert(
      fc.property(start, octets(0, 6000), (beginning, more) => {
        const parsed = parseProxyHeader(Buffer.concat([beginning, more]))
        if (parsed.kind === 'unfinished') expect(beginning.length + more.length).toBeLessThan(4096)
        if (parsed.kind !== 'complete') return
        expect(parsed.length).toBeLessThanOrEqual(beginning.length + more.length)
        expect(parsed.client ?? '::').toMatch(/^[0-9a-f:.]+$/)
      }),
      { numRuns: 500 },
    )
  })
})
