import { describe, expect, it } from 'vitest'
import { describeNetwork } from './conformance/network.ts'
import { FakeNetwork } from './fake-network.ts'

describeNetwork('fake', async () => {
  const teapot = 'http://teapot:1/'
  const network = new FakeNetwork().on(teapot, ({ method = 'GET', url, body = '' }) => ({
    status: 418,
    headers: { 'X-Kind': 'teapot' },
    body: `${method} ${url.slice(teapot.length - 1)} ${body}`,
  }))
  const listening = { port: 443, by: { pid: 7, program: 'teapot' } }
  network.listen(listening.port, listening.by)
  return { network, teapot, listening }
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
