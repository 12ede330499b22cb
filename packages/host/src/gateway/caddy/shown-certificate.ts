import { isIP } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import { connect } from 'node:tls'
import type { Endpoint } from '@caretaker/appliance/gateway/gateway-config.ts'
import type { CertificateStore } from '../certificate-store.ts'

/**
 * SHA-256 in hex of the certificate that is shown to a client which asks for `host` (a `*.` stands for some label; an
 * IP address for a client that names no host). @throws Error when there is no handshake in time.
 */
export function shownFingerprint(endpoint: Endpoint, host: string, timeoutMs: number): Promise<string> {
  const name = host.replace(/^\*/, 'caretaker-check')
  return new Promise((resolve, reject) => {
    const socket = connect(
      {
        host: reachable(endpoint.host),
        port: endpoint.port,
        ...(isIP(name) === 0 ? { servername: name } : {}),
        // Looked at, not believed.
        rejectUnauthorized: false,
        ALPNProtocols: ['http/1.1'],
      },
      () => {
        resolve(socket.getPeerX509Certificate()?.fingerprint256.replaceAll(':', '').toLowerCase() ?? 'none')
        socket.destroy()
      },
    )
    socket.setTimeout(timeoutMs, () => socket.destroy(new Error(`no handshake within ${timeoutMs} ms`)))
    socket.on('error', reject)
  })
}

function reachable(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1'
  return host === '::' ? '::1' : host
}

const HANDSHAKE_MS = 5000
const AGAIN_MS = 50

/**
 * Makes a handshake for each certificate and looks whether it is the one that is shown.
 * @throws Error naming the host that shows another one
 */
export async function checkShown(endpoint: Endpoint, { served }: CertificateStore): Promise<void> {
  // As in the store: of two certificates for a host the last one counts.
  const expected = new Map(
    served.flatMap(({ hosts, fingerprint }) => hosts.map((host) => [host, fingerprint])),
  )
  await Promise.all(
    served.map(async ({ hosts, fingerprint }) => {
      const host = hosts.find((name) => isIP(name) === 0 && expected.get(name) === fingerprint)
      if (host === undefined) return
      const shown = await shownSoon(endpoint, host)
      if (shown !== fingerprint)
        throw new Error(`for ${host} it shows another certificate than the one given`)
    }),
  )
}

/** A Caddy that loads a config resets connections that wait at the listener it closes: asked again. */
async function shownSoon(endpoint: Endpoint, host: string): Promise<string> {
  for (const untilMs = performance.now() + HANDSHAKE_MS; ; ) {
    try {
      return await shownFingerprint(endpoint, host, HANDSHAKE_MS)
    } catch (error) {
      if (performance.now() > untilMs) throw error
      await wait(AGAIN_MS)
    }
  }
}
