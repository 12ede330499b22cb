import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Network } from '../network.ts'

export interface NetworkUnderTest {
  readonly network: Network
  /** Address, ending in "/", that answers 418 with the header X-Kind: teapot and "METHOD PATH BODY". */
  readonly teapot: string
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

    it('gives ports that can be listened on', async () => {
      const port = await world.network.freePort()
      expect(port).toBeGreaterThan(0)
      expect(await world.network.canListen('127.0.0.1', port)).toBe('yes')
    })
  })
}
