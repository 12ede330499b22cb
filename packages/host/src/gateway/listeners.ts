import { constants } from 'node:crypto'
import {
  createServer,
  type IncomingMessage,
  type Server,
  type ServerOptions,
  type ServerResponse,
} from 'node:http'
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import type { Endpoint } from '@caretaker/appliance/gateway/gateway-config.ts'
import type { CertificateStore } from './certificate-store.ts'
import type { Arrivals, Entrance } from './entrance.ts'
import {
  HANDSHAKE_TIMEOUT_MS,
  HEADERS_TIMEOUT_MS,
  KEEP_ALIVE_MS,
  MAX_CONNECTIONS,
  MAX_HEADER_BYTES,
} from './limits.ts'
import { describeListenError } from './listen-error.ts'

export interface WantedEndpoints {
  readonly https: Endpoint
  readonly http?: Endpoint | undefined
}

/** No renegotiation: a handshake costs us far more than the client that asks for one after the other. */
const TLS_OPTIONS = { minVersion: 'TLSv1.2', secureOptions: constants.SSL_OP_NO_RENEGOTIATION } as const

/** How often a server that has stopped listening looks for idle connections. */
const SWEEP_MS = 100

type Kind = 'http' | 'https'

interface Bound {
  readonly server: Server | TlsServer
  readonly wanted: Endpoint
  readonly actual: Endpoint
}

/** What every server of ours does with requests. */
export const HTTP_OPTIONS: ServerOptions = {
  maxHeaderSize: MAX_HEADER_BYTES,
  headersTimeout: HEADERS_TIMEOUT_MS,
  connectionsCheckingInterval: HEADERS_TIMEOUT_MS / 3,
  // A body may take as long as it takes: large uploads over slow lines are wanted.
  requestTimeout: 0,
  keepAliveTimeout: KEEP_ALIVE_MS,
  shouldUpgradeCallback: (request) =>
    request.method === 'GET' && request.headers.upgrade?.toLowerCase() === 'websocket',
}

/** The two ports of the gateway. Endpoints change without closing a connection in use. */
export class Listeners implements Entrance {
  readonly #arrivals: Arrivals
  readonly #bound = new Map<Kind, Bound>()
  /** Every server that may still have connections, the retired ones included. */
  readonly #servers = new Set<Server | TlsServer>()
  #certificates: CertificateStore

  constructor(arrivals: Arrivals, certificates: CertificateStore) {
    this.#arrivals = arrivals
    this.#certificates = certificates
  }

  address(kind: Kind): Endpoint | undefined {
    return this.#bound.get(kind)?.actual
  }

  /** Certificates for handshakes from now on; open connections keep theirs. */
  show(certificates: CertificateStore): void {
    this.#certificates = certificates
    const tls = this.#bound.get('https')?.server as TlsServer | undefined
    tls?.setSecureContext({ ...certificates.fallback, ...TLS_OPTIONS })
  }

  /**
   * Listens where it is wanted and nowhere else.
   * @throws AppError PORT_IN_USE, NO_PERMISSION, GATEWAY_START_FAILED; then it listens where it did before.
   */
  async change(wanted: WantedEndpoints): Promise<void> {
    const before = new Map(this.#bound)
    try {
      for (const kind of ['https', 'http'] as const) await this.#changeOne(kind, wanted[kind])
    } catch (error) {
      await this.#goBack(before)
      throw error
    }
    for (const [kind, old] of before) if (this.#bound.get(kind) !== old) void retire(old.server)
  }

  async #changeOne(kind: Kind, wanted: Endpoint | undefined): Promise<void> {
    const now = this.#bound.get(kind)
    if (now?.wanted.host === wanted?.host && now?.wanted.port === wanted?.port) return
    // On the same port the new address can only be had once the old one is free.
    if (now && now.actual.port === wanted?.port) void retire(now.server)
    if (wanted) this.#bound.set(kind, await this.#listen(kind, wanted))
    else this.#bound.delete(kind)
  }

  async #goBack(before: ReadonlyMap<Kind, Bound>): Promise<void> {
    for (const [kind, fresh] of this.#bound) {
      if (before.get(kind) === fresh) continue
      void retire(fresh.server)
      this.#bound.delete(kind)
    }
    for (const [kind, old] of before) {
      this.#bound.set(
        kind,
        old.server.listening ? old : { ...(await this.#listen(kind, old.actual)), wanted: old.wanted },
      )
    }
  }

  async #listen(kind: Kind, wanted: Endpoint): Promise<Bound> {
    const server = kind === 'https' ? this.#createTls() : createServer(HTTP_OPTIONS)
    const secure = kind === 'https'
    server.maxConnections = MAX_CONNECTIONS
    server.timeout = 0
    const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
      if (!server.listening) response.setHeader('connection', 'close')
      this.#arrivals.onRequest(request, response, { secure })
    }
    const begin = server.listeners('connection')
    server.removeAllListeners('connection')
    server.on('connection', (socket: Socket) => {
      this.#arrivals.onConnection(socket, () => {
        for (const listener of begin) listener.call(server, socket)
      })
    })
    server.on('request', onRequest)
    // The body is asked for when it is passed on, not before.
    server.on('checkContinue', onRequest)
    server.on('upgrade', (request, socket, head) =>
      this.#arrivals.onUpgrade(request, socket, head, { secure }),
    )
    server.on('clientError', (error, socket) => this.#arrivals.onGarbage(error, socket))
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error) => reject(error))
      server.listen(wanted.port, wanted.host, () => resolve())
    }).catch(async (error: unknown) => {
      throw await describeListenError(error, wanted)
    })
    this.#servers.add(server)
    server.once('close', () => this.#servers.delete(server))
    const { address, port } = server.address() as AddressInfo
    return { server, wanted, actual: { host: address, port } }
  }

  #createTls(): TlsServer {
    return createTlsServer({
      ...HTTP_OPTIONS,
      ...this.#certificates.fallback,
      ...TLS_OPTIONS,
      ALPNProtocols: ['http/1.1'],
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
      SNICallback: (name, done) => done(null, this.#certificates.contextFor(name)),
    })
  }

  /** No new connections, no idle ones; resolves when the last one has ended. */
  async close(): Promise<void> {
    await Promise.all([...this.#servers].map((server) => retire(server)))
  }

  /** Ends every connection that is not upgraded at once. */
  destroy(): void {
    for (const server of this.#servers) server.closeAllConnections()
  }
}

/** Stops listening now; a connection ends as soon as it is idle. Resolves when the last one has ended. */
export async function retire(server: Server | TlsServer): Promise<void> {
  const sweep = setInterval(() => server.closeIdleConnections(), SWEEP_MS)
  await new Promise<void>((resolve) => {
    server.close(() => resolve())
  })
  clearInterval(sweep)
}
