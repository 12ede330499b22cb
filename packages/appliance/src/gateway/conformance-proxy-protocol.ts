import { describe, expect, test } from 'vitest'
import type { HeaderBench } from './conformance-headers.ts'

/** How the suite asks the gateway, and what reached the test application. */
export interface ProxyProtocolBench extends Pick<HeaderBench, 'host' | 'use' | 'get' | 'echo'> {
  readonly seen: readonly string[]
}

/** The load balancer of the suite, an address of loopback. */
const PROXY = '127.0.0.2'
const CLIENT = '198.51.100.7'
const V1 = Buffer.from(`PROXY TCP4 ${CLIENT} 192.0.2.1 56324 443\r\n`)
const V2_START = '0d0a0d0a000d0a515549540a'
const V2 = Buffer.from(`${V2_START}2111000cc6336407c0000201dc0401bb`, 'hex')
/** As of a load balancer in a cloud, with a field of its own behind the addresses. */
const V2_IPV6 = Buffer.from(
  `${V2_START}2121002820010db800000000000000000000000720010db8000000000000000000000001dc0401bb040001ff`,
  'hex',
)
const V2_LOCAL = Buffer.from(`${V2_START}20000000`, 'hex')
const MALFORMED: readonly (readonly [string, Buffer])[] = [
  ['a text that is no address', Buffer.from('PROXY TCP4 evil 192.0.2.1 1 2\r\n')],
  ['a line without end', Buffer.from('PROXY TCP4 '.padEnd(5000, '1'))],
  ['a line feed alone', Buffer.from(`PROXY TCP4 ${CLIENT} 192.0.2.1 56324 443\n`.padEnd(200, ' '))],
  ['an unknown version', Buffer.from(`${V2_START}3111000cc6336407c0000201dc0401bb`, 'hex')],
  ['too few bytes for its addresses', Buffer.from(`${V2_START}21110004c6336407`, 'hex')],
  ['two headers', Buffer.concat([V1, V1])],
]

/**
 * What every back end must do behind a load balancer that speaks the PROXY protocol. For Caddy's listener wrapper this
 * is the fallback policy REQUIRE, with all that is not trusted in `deny`.
 */
export function describeProxyProtocol(bench: () => ProxyProtocolBench): void {
  describe('PROXY protocol', () => {
    const get: HeaderBench['get'] = (path, more) => bench().get(path, more)
    const echo: HeaderBench['echo'] = (path, more) => bench().echo(path, more)
    const use: HeaderBench['use'] = (changes) =>
      bench().use({ trustedProxies: [`${PROXY}/32`], proxyProtocol: true, ...changes })
    const behind = (...preface: readonly Buffer[]) => ({ from: PROXY, preface })
    const refused = async (more: Parameters<HeaderBench['get']>[1]): Promise<void> => {
      for (const plain of [false, true]) {
        const answer = get('/echo', { ...more, plain }).then(({ status }) => status)
        await expect(answer, plain ? 'HTTP' : 'HTTPS').rejects.toThrow()
      }
      expect(bench().seen).toEqual([])
    }

    test.each([
      ['version 1', [V1], CLIENT],
      ['version 2', [V2], CLIENT],
      ['version 2 with IPv6 and more fields', [V2_IPV6], '2001:db8::7'],
      ['byte by byte', [...V2].map((byte) => Buffer.from([byte])), CLIENT],
      ['for the load balancer itself', [V2_LOCAL], PROXY],
      ['for nobody it knows', [Buffer.from('PROXY UNKNOWN\r\n')], PROXY],
    ])('tells the application the address of the client: %s', async (_name, preface, client) => {
      await use({})
      const { headers } = await echo('/echo', behind(...preface))
      expect(headers['x-forwarded-for']).toBe(client)
      expect(JSON.stringify(headers)).not.toContain('127.0.0.1')
      expect((await get('/echo', { ...behind(...preface), plain: true })).status).toBe(308)
    })

    test('believes no header fields because of it, unless the client is trusted itself', async () => {
      const headers = { 'x-forwarded-for': '6.6.6.6' }
      await use({})
      const answer = await echo('/echo', { ...behind(V1), headers })
      expect(answer.headers['x-forwarded-for']).toBe(CLIENT)
      await use({ trustedProxies: [`${PROXY}/32`, `${CLIENT}/32`] })
      const believed = await echo('/echo', { ...behind(V1), headers })
      expect(believed.headers['x-forwarded-for']).toBe(`6.6.6.6, ${CLIENT}`)
    })

    test('is required of a trusted proxy', async () => {
      await use({})
      await refused({ from: PROXY })
    })

    test('is refused from everybody else, who is served without', async () => {
      await use({})
      await refused({ preface: [V1] })
      await refused({ preface: [V2] })
      expect((await echo('/echo')).headers['x-forwarded-for']).toBe('127.0.0.1')
    })

    test('is refused from everybody where it is not in force', async () => {
      await use({ proxyProtocol: false })
      for (const preface of [[V1], [V2]]) {
        await expect(get('/echo', { from: PROXY, preface })).rejects.toThrow()
        const answer = await get('/echo', { from: PROXY, preface, plain: true }).catch(() => undefined)
        expect(answer?.status ?? 400).toBe(400)
      }
      expect(bench().seen).toEqual([])
      expect((await echo('/echo', { from: PROXY })).headers['x-forwarded-for']).toBe(PROXY)
    })

    test.each(MALFORMED)('%s: never passed on', async (_name, preface) => {
      await use({})
      for (const plain of [false, true]) {
        const answer = await get('/echo', { ...behind(preface), plain }).catch(() => undefined)
        expect(answer?.status ?? 400).toBe(400)
      }
      expect(bench().seen).toEqual([])
    })
  })
}
