import { X509Certificate } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Listener, Network } from '../network.ts'

export interface NetworkUnderTest {
  readonly network: Network
  /** Address, ending in "/", that answers 418 with the header X-Kind: teapot and "METHOD PATH BODY". */
  readonly teapot: string
  /** A port that a process listens on, and which one. */
  readonly listening: { readonly port: number; readonly by: Listener; readonly uid: number }
  /** A TLS server on loopback that shows this certificate to who asks for this name. */
  readonly tls: { readonly port: number; readonly serverName: string; readonly certPem: string }
  cleanUp?(): Promise<void>
}

/** What every implementation of {@link Network} must do. */
export function describeNetwork(name: string, make: () => Promise<NetworkUnderTest>): void {
  describe(`network: ${name}`, () => {
    let world: NetworkUnderTest
    beforeEach(async () => {
      world = await make()
    })
    afterEach(() => world.cleanUp?.())

    it('gives status, headers in lower case and body, whatever the status', async () => {
      const response = await world.network.request({ url: `${world.teapot}tea?cup=1`, timeoutMs: 5000 })
      expect(response).toMatchObject({ status: 418, body: 'GET /tea?cup=1 ' })
      expect(response.headers['x-kind']).toBe('teapot')
    })

    it('sends method and body', async () => {
      const request = { url: world.teapot, method: 'POST', body: 'milk', timeoutMs: 5000 }
      expect((await world.network.request(request)).body).toBe('POST / milk')
    })

    it('throws when nothing answers there', async () => {
      const port = await world.network.freePort()
      await expect(
        world.network.request({ url: `http://127.0.0.1:${port}/`, timeoutMs: 5000 }),
      ).rejects.toThrow()
    })

    it('gives the certificate that a TLS server shows, trusted or not, and throws where there is none', async () => {
      const { port, serverName, certPem } = world.tls
      const shown = await world.network.servedCertificate('127.0.0.1', port, serverName, 5000)
      expect(new X509Certificate(shown).fingerprint256).toBe(new X509Certificate(certPem).fingerprint256)
      const nobody = await world.network.freePort()
      await expect(world.network.servedCertificate('127.0.0.1', nobody, serverName, 5000)).rejects.toThrow()
    })

    it('gives ports that can be listened on', async () => {
      const port = await world.network.freePort()
      expect(port).toBeGreaterThan(0)
      expect(await world.network.canListen('127.0.0.1', port)).toBe('yes')
    })

    it('names the process that listens on a port, and none where nobody does', async () => {
      const { network, listening } = world
      expect(await network.listener(listening.port)).toEqual(listening.by)
      expect(listening.by.program).not.toBe('')
      expect(await network.canListen('127.0.0.1', listening.port)).toBe('in-use')
      expect(await network.listenerUids(listening.port)).toEqual([listening.uid])
      const nobody = await network.freePort()
      expect(await network.listener(nobody)).toBeUndefined()
      expect(await network.listenerUids(nobody)).toEqual([])
    })

    it('finds localhost and what is below it at the loopback address, and nothing for a name that is none', async () => {
      const { network } = world
      expect(await network.resolve('localhost', 5000)).toEqual(['127.0.0.1'])
      expect(await network.resolve('shop.appliance.localhost', 5000)).toEqual(['127.0.0.1'])
      expect(await network.resolve('no-such-host.invalid', 5000)).toEqual([])
    })

    it('resolves an address to itself', async () => {
      expect(await world.network.resolve('127.0.0.1', 5000)).toEqual(['127.0.0.1'])
      expect(await world.network.resolve('192.0.2.7', 5000)).toEqual(['192.0.2.7'])
    })

    it('waits for a name no longer than it is told', async () => {
      const startedMs = performance.now()
      await world.network.resolve('no-such-host.invalid', 1)
      expect(performance.now() - startedMs).toBeLessThan(4000)
    })

    it('knows addresses of this machine, the loopback one among them, all of which can be listened on', async () => {
      const { network } = world
      const addresses = network.addresses()
      expect(addresses).toContain('127.0.0.1')
      expect(new Set(addresses).size).toBe(addresses.length)
      for (const address of addresses.filter((text) => !text.startsWith('fe80:')))
        expect(await network.canListen(address, await network.freePort()), address).toBe('yes')
      expect(addresses).not.toContain('192.0.2.1')
    })
  })
}
