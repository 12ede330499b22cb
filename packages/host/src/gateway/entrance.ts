import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Endpoint, GatewayConfig } from '@caretaker/appliance/gateway/gateway-config.ts'
import type { CertificateStore } from './certificate-store.ts'

/** What an entrance does with what arrives. */
export interface Arrivals {
  /** A new connection, before anything is read from it: TLS or HTTP begins with `accept`. */
  onConnection(socket: Socket, accept: () => void): void
  onRequest(request: IncomingMessage, response: ServerResponse, sender: Sender): void
  onUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer, sender: Sender): void
  /** Bytes that are no request. */
  onGarbage(error: NodeJS.ErrnoException, socket: Duplex): void
}

/** How a request came. */
export interface Sender {
  /** Whether over TLS. */
  readonly secure: boolean
  /** The client's address when it is not the other end of the connection. */
  readonly client?: string
}

export type WantedEntrance = Pick<GatewayConfig, 'https' | 'http' | 'trustedProxies' | 'proxyProtocol'>

/** Holds the ports of the gateway. Calls to `change` and `show` do not overlap. */
export interface Entrance {
  /** Where it listens now. */
  address(kind: 'http' | 'https'): Endpoint | undefined
  /**
   * Listens where it is wanted and nowhere else, with these certificates where new handshakes meet them at once.
   * @throws AppError PORT_IN_USE, NO_PERMISSION, GATEWAY_START_FAILED, GATEWAY_CONFIG_REFUSED; then all is as before.
   */
  change(wanted: WantedEntrance, certificates: CertificateStore): Promise<void>
  /** Certificates for handshakes from now on; open connections keep theirs. */
  show(certificates: CertificateStore): void
  /** No new connections, no idle ones; resolves when the last one has ended. */
  close(): Promise<void>
  /** Ends every connection that is not upgraded at once. */
  destroy(): void
}
