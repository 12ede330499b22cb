import { describe, expect, test } from 'vitest'
import type { GatewayConfig } from './gateway-config.ts'
import type { GatewayLab, LabAnswer, LabEcho, LabRequest } from './lab.ts'

/** How the suite asks the gateway for paths of the test application. */
export interface HeaderBench {
  readonly lab: () => GatewayLab
  readonly host: string
  readonly use: (changes: Partial<GatewayConfig>) => Promise<void>
  readonly get: (path: string, more?: Partial<LabRequest>) => Promise<LabAnswer>
  readonly echo: (path: string, more?: Partial<LabRequest>) => Promise<LabEcho>
}

/** What every back end must do with header fields. */
export function describeHeaderFields(bench: () => HeaderBench): void {
  describe('header fields', () => {
    const get: HeaderBench['get'] = (path, more) => bench().get(path, more)
    const echo: HeaderBench['echo'] = (path, more) => bench().echo(path, more)
    const use: HeaderBench['use'] = (changes) => bench().use(changes)

    test('takes away what a client forged and tells the truth', async () => {
      const forged = {
        'x-forwarded-for': '6.6.6.6',
        'x-forwarded-proto': 'http',
        'x-forwarded-host': 'evil.example',
        'x-forwarded-anything': 'evil',
        forwarded: 'for=6.6.6.6',
        'x-real-ip': '6.6.6.6',
        'x-ssl-client-verify': 'SUCCESS',
        X_SSL_Client_Verify: 'SUCCESS',
        'x-request-id': 'forged-id-000',
        connection: 'x-forwarded-for, x-secret-hop',
        'x-secret-hop': 'evil',
        'x-own': 'kept',
      }
      const { headers } = await echo('/echo', { headers: forged })
      const told = JSON.stringify(headers)
      expect(told).not.toMatch(/6\.6\.6\.6|evil|SUCCESS|forged-id/)
      expect(headers).toMatchObject({
        host: bench().host,
        'x-own': 'kept',
        'x-forwarded-for': '127.0.0.1',
        'x-forwarded-proto': 'https',
        'x-forwarded-host': bench().host,
        'x-forwarded-port': String(bench().lab().config.https.port),
      })
    })

    test('believes a trusted proxy, except for underscores', async () => {
      await use({ trustedProxies: ['127.0.0.0/8'] })
      const { headers } = await echo('/echo', {
        headers: {
          'x-forwarded-for': '192.0.2.7',
          X_Forwarded_For: '6.6.6.6',
          'x-request-id': 'from-the-proxy-1',
        },
      })
      expect(headers['x-forwarded-for']).toBe('192.0.2.7, 127.0.0.1')
      expect(headers['x-request-id']).toBe('from-the-proxy-1')
      expect(JSON.stringify(headers)).not.toContain('6.6.6.6')
    })

    test('gives each request an id that application and client both see', async () => {
      const [one, two] = await Promise.all([get('/echo'), get('/echo')])
      expect(one.headers['x-request-id']).toMatch(/^[\w.-]{8,}$/)
      expect((JSON.parse(one.body) as LabEcho).headers['x-request-id']).toBe(one.headers['x-request-id'])
      expect(one.headers['x-request-id']).not.toBe(two.headers['x-request-id'])
    })

    test('passes cookies through, each as its own field', async () => {
      const answer = await get('/echo', { headers: { cookie: 'a=1; b=2' } })
      expect(answer.headers['set-cookie']).toEqual(['one=1', 'two=2'])
      expect((JSON.parse(answer.body) as LabEcho).headers['cookie']).toBe('a=1; b=2')
    })
  })
}
