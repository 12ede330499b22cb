import type { Socket } from 'node:net'
import type { GatewayConfig } from '@caretaker/appliance/gateway/gateway-config.ts'
import { assertNever } from '@caretaker/kernel/assert.ts'
import { ClientConnections } from './client-connections.ts'
import { HANDSHAKE_TIMEOUT_MS, PROXY_HEADER_TIMEOUT_MS } from './limits.ts'
import { type HeaderOutcome, readProxyHeader } from './read-proxy-header.ts'
import { type LogLine, RefusalLog } from './refusal-log.ts'
import { plainAddress, trustList } from './trust.ts'

/** Where a connection comes from: what tells it from all others that are open. */
type Ends = Pick<Socket, 'remoteAddress' | 'remotePort' | 'localPort'>

/**
 * Decides which connections are taken, before TLS, and knows whom each one speaks for.
 *
 * With the PROXY protocol in force, trusted proxies must begin with its header and nobody else may: a forged header
 * would give any address to its sender, and a missing one would give that of the proxy to everybody.
 */
export class Admission {
  readonly #log: RefusalLog
  readonly #clients = new ClientConnections()
  /** Connections whose header is still to come. */
  readonly #pending = new Set<Socket>()
  /** The client of each connection of a proxy. TLS puts another socket on top: the ends are those of both. */
  readonly #spokenFor = new Map<string, { readonly client: string }>()
  #trusts: (address: string) => boolean = () => false
  #proxied = false

  constructor(log: LogLine | undefined) {
    this.#log = new RefusalLog(log)
  }

  /** Takes effect for connections from now on. */
  use({ trustedProxies, proxyProtocol }: Pick<GatewayConfig, 'trustedProxies' | 'proxyProtocol'>): void {
    this.#trusts = trustList(trustedProxies)
    this.#proxied = proxyProtocol === true
  }

  /** Calls `accept`, now or later, when the connection may go on; ends it otherwise. */
  take(socket: Socket, accept: () => void): void {
    const address = plainAddress(socket.remoteAddress)
    const trusted = this.#trusts(address)
    if (!trusted && !this.#clients.admit(address, socket)) socket.destroy()
    else if (!this.#proxied) accept()
    else void this.#takeWithHeader(socket, { address, trusted }, accept)
  }

  /** The client behind a socket, and whether it is a proxy that is believed. */
  peerOf(socket: Ends): { readonly address: string; readonly trusted: boolean } {
    return this.peerAt(this.#spokenFor.get(endsOf(socket))?.client ?? plainAddress(socket.remoteAddress))
  }

  /** The client that a front of ours met at this address. */
  peerAt(remote: string): { readonly address: string; readonly trusted: boolean } {
    const address = plainAddress(remote)
    return { address, trusted: this.#trusts(address) }
  }

  /** Ends the connections whose header is still to come. */
  destroy(): void {
    for (const socket of this.#pending) socket.destroy()
  }

  async #takeWithHeader(
    socket: Socket,
    peer: { readonly address: string; readonly trusted: boolean },
    accept: () => void,
  ): Promise<void> {
    // What goes wrong with the connection itself ends it; `close` tells.
    socket.on('error', () => undefined)
    this.#pending.add(socket)
    const timeoutMs = peer.trusted ? PROXY_HEADER_TIMEOUT_MS : HANDSHAKE_TIMEOUT_MS
    const outcome = await readProxyHeader(socket, timeoutMs)
    this.#pending.delete(socket)
    const refusal = peer.trusted ? refusalOfProxy(outcome) : refusalOfOther(outcome)
    if (refusal !== undefined) this.#log.refused(peer.address, refusal)
    if (refusal !== undefined || outcome.kind === 'slow' || outcome.kind === 'gone') {
      socket.destroy()
    } else if (outcome.kind !== 'complete' || outcome.client === undefined) {
      accept()
    } else if (this.#speaksFor(socket, outcome.client)) {
      accept()
    } else {
      socket.destroy()
    }
  }

  /** Remembers the client of a connection until it closes; false when that client has too many. */
  #speaksFor(socket: Socket, given: string): boolean {
    const entry = { client: plainAddress(given) }
    if (!this.#trusts(entry.client) && !this.#clients.admit(entry.client, socket)) return false
    const ends = endsOf(socket)
    this.#spokenFor.set(ends, entry)
    socket.once('close', () => {
      if (this.#spokenFor.get(ends) === entry) this.#spokenFor.delete(ends)
    })
    return true
  }
}

function endsOf({ remoteAddress, remotePort, localPort }: Ends): string {
  return `${remoteAddress} ${remotePort} ${localPort}`
}

/** Why the connection of a trusted proxy is refused; undefined when it is not, or when it said nothing at all. */
function refusalOfProxy(outcome: HeaderOutcome): string | undefined {
  switch (outcome.kind) {
    case 'complete':
      return undefined
    case 'none':
      return 'a trusted proxy sent no PROXY header: switch it on there, or gateway.proxy_protocol off here'
    case 'malformed':
      return `the PROXY header is malformed: ${outcome.why}`
    case 'slow':
      return `a trusted proxy sent no whole PROXY header within ${PROXY_HEADER_TIMEOUT_MS} ms`
    case 'gone':
      // Load balancers look whether the port is open, and go.
      return outcome.said ? 'the connection ended within the PROXY header' : undefined
    default:
      return assertNever(outcome)
  }
}

function refusalOfOther(outcome: HeaderOutcome): string | undefined {
  const hasHeader = outcome.kind === 'complete' || outcome.kind === 'malformed'
  return hasHeader ? 'a PROXY header came from an address outside gateway.trusted_proxies' : undefined
}
