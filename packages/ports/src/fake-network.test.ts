import { describe, expect, it } from 'vitest'
import { describeNetwork } from './conformance/network.ts'
import { FakeNetwork } from './fake-network.ts'

/** For shop.test, signed by itself; made with openssl. */
const CERTIFICATE = `-----BEGIN CERTIFICATE-----
MIIBfzCCASWgAwIBAgIUVNV3BF45AtYlrRKlp23NPFn4rsowCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJc2hvcC50ZXN0MCAXDTI2MTEyMDEzMjYwMVoYDzIxMjYxMDI3
MTMyNjAxWjAUMRIwEAYDVQQDDAlzaG9wLnRlc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAAR67+nyeaOIZWX5xmFrMhg3m3TYguMpjeabPbFRWJHDki1Kl+xOeBPl
78XtN0WrWRqDAvoKA9dvuilX7kmNevsco1MwUTAdBgNVHQ4EFgQUWar/d3zHWbRb
NTSj2x7H07A1/KswHwYDVR0jBBgwFoAUWar/d3zHWbRbNTSj2x7H07A1/KswDwYD
VR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNIADBFAiBAeRf2vPn//NRJrqLjI6Eq
6/L9OqW1yj0r+b9WuoVpAwIhAPBHVeaZhEiPUk4GiJj1TdSPGYKLSGuKGuWTCO8C
Qz5/
-----END CERTIFICATE-----
`

describeNetwork('fake', async () => {
  const teapot = 'http://teapot:1/'
  const network = new FakeNetwork().on(teapot, ({ method = 'GET', url, body = '' }) => ({
    status: 418,
    headers: { 'X-Kind': 'teapot' },
    body: `${method} ${url.slice(teapot.length - 1)} ${body}`,
  }))
  const listening = { port: 443, by: { pid: 7, program: 'teapot' }, uid: 33 }
  network.listen(listening.port, listening.by, listening.uid).show(8443, 'shop.test', CERTIFICATE)
  return {
    network,
    teapot,
    listening,
    tls: { port: 8443, serverName: 'shop.test', certPem: CERTIFICATE },
  }
})

describe('fake network', () => {
  it('answers by the latest script and records what was asked', async () => {
    const network = new FakeNetwork().on('http://app/', { status: 200 }).on('http://app/', { status: 503 })
    const asked = { url: 'http://app/healthz', timeoutMs: 1 }
    expect((await network.request(asked)).status).toBe(503)
    expect(network.requests).toEqual([asked])
  })

  it('has ports that are taken', async () => {
    const network = new FakeNetwork().occupy(443, 'no-permission')
    expect(await network.canListen('0.0.0.0', 443)).toBe('no-permission')
    expect(await network.canListen('0.0.0.0', 8443)).toBe('yes')
  })
})
