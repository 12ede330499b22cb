import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type RequestListener, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  authorityCertificate,
  createAuthorityKey,
  issueServerCertificate,
  selfSignedCertificate,
} from '@caretaker/appliance/certificates/authority.ts'
import { describeNetwork } from '@caretaker/ports/conformance/network.ts'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createNetwork } from './network.ts'

describeNetwork('the machine', async () => {
  const server = createServer((incoming, response) => {
    let body = ''
    incoming.on('data', (chunk: Buffer) => {
      body += chunk.toString()
    })
    incoming.on('end', () => {
      response.writeHead(418, { 'X-Kind': 'teapot' }).end(`${incoming.method} ${incoming.url} ${body}`)
    })
  })
  const teapot = await listen(server)
  const by = { pid: process.pid, program: readFileSync('/proc/self/comm', 'utf8').trim() }
  const { certPem, key } = await selfSignedCertificate({ hosts: ['shop.test'], now: new Date(), days: 1 })
  const tlsServer = createTlsServer({ cert: certPem, key: key.reveal() })
  const tlsUrl = new URL(await listen(tlsServer))
  return {
    network: createNetwork(),
    teapot,
    listening: { port: Number(new URL(teapot).port), by, uid: process.getuid?.() ?? -1 },
    tls: { port: Number(tlsUrl.port), serverName: 'shop.test', certPem },
    async cleanUp() {
      await close(server)
      await close(tlsServer)
    },
  }
})

describe('network of the machine', () => {
  const network = createNetwork()
  let folder: string
  const servers: Server[] = []
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'caretaker-network-'))
  })
  afterEach(async () => {
    await Promise.all(servers.splice(0).map(close))
    rmSync(folder, { recursive: true })
  })
  const serve = async (handler: RequestListener): Promise<string> => {
    const server = createServer(handler)
    servers.push(server)
    return listen(server)
  }

  it('speaks over a unix socket', async () => {
    const server = createServer((_, response) => response.end('over the socket'))
    servers.push(server)
    const socketPath = join(folder, 'socket')
    await new Promise<void>((resolve) => server.listen(socketPath, resolve))
    const response = await network.request({ url: 'http://daemon/state', socketPath, timeoutMs: 60_000 })
    expect(response).toMatchObject({ status: 200, body: 'over the socket' })
  })

  it('gives up after the time, before the answer and within it', async () => {
    const silent = await serve(() => undefined)
    const slow = await serve((_, response) => response.write('beginning'))
    for (const url of [silent, slow]) {
      await expect(network.request({ url, timeoutMs: 100 })).rejects.toThrow('within 100 ms')
    }
  })

  it('cuts a body after one MiB, also one without end', async () => {
    const url = await serve((_, response) => {
      const more = (): void => {
        while (!response.destroyed && response.write('x'.repeat(65_536)));
      }
      response.on('drain', more)
      more()
    })
    const { body } = await network.request({ url, timeoutMs: 60_000 })
    expect(body).toHaveLength(1024 * 1024)
  })

  it('does not follow redirects', async () => {
    const url = await serve((_, response) =>
      response.writeHead(302, { Location: 'http://nowhere.invalid/' }).end(),
    )
    expect(await network.request({ url, timeoutMs: 60_000 })).toMatchObject({
      status: 302,
      headers: { location: 'http://nowhere.invalid/' },
    })
  })

  it('trusts the authority it is given and no other, and finds names below .localhost', async () => {
    const now = new Date()
    const authorityKey = await createAuthorityKey()
    const ca = await authorityCertificate(authorityKey, { name: 'Test authority', now })
    const hosts = ['guestbook.appliance.localhost']
    const { certPem, key } = await issueServerCertificate({
      authorityKey,
      authorityPem: ca,
      hosts,
      now,
      days: 2,
    })
    const server = createTlsServer({ key: key.reveal(), cert: certPem }, (_, response) =>
      response.end('secure'),
    )
    servers.push(server)
    const { port } = new URL(await listen(server))
    const url = `https://guestbook.appliance.localhost:${port}/`
    expect((await network.request({ url, ca, timeoutMs: 60_000 })).body).toBe('secure')
    await expect(network.request({ url, timeoutMs: 60_000 })).rejects.toMatchObject({
      code: 'SELF_SIGNED_CERT_IN_CHAIN',
    })
    const wrongName = `https://other.localhost:${port}/`
    await expect(network.request({ url: wrongName, ca, timeoutMs: 60_000 })).rejects.toMatchObject({
      code: 'ERR_TLS_CERT_ALTNAME_INVALID',
    })
  })

  it('says why it cannot listen', async () => {
    const { port } = new URL(await serve((_, response) => response.end()))
    expect(await network.canListen('127.0.0.1', Number(port))).toBe('in-use')
    expect(await network.canListen('192.0.2.1', 0)).toBe('no-address')
    expect(await network.canListen('no-such-host.invalid', 0)).toBe('no-address')
  })
})

async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
}

async function close(server: Server): Promise<void> {
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
}
