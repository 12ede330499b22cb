import { mkdir, rm } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { dirname } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { caddyConfig } from '@caretaker/appliance/gateway/caddy/caddy-config.ts'
import type { CaddyPlaces } from '@caretaker/appliance/gateway/caddy/caddy-places.ts'
import type { Endpoint } from '@caretaker/appliance/gateway/gateway-config.ts'
import { isAppError } from '@caretaker/kernel/errors.ts'
import { canonicalJson } from '@caretaker/kernel/json.ts'
import { SECOND_MS } from '@caretaker/kernel/time.ts'
import { listenPrivately } from '../../private-socket.ts'
import type { CertificateStore } from '../certificate-store.ts'
import type { Arrivals, Entrance, WantedEntrance } from '../entrance.ts'
import { HEADERS_TIMEOUT_MS, KEEP_ALIVE_MS, MAX_HEADER_BYTES } from '../limits.ts'
import { HTTP_OPTIONS, retire } from '../listeners.ts'
import { findPortHolder } from '../port-holder.ts'
import { type CaddyAdmin, createCaddyAdmin } from './admin.ts'
import {
  type CertificateFiles,
  certificateFilesOf,
  replace,
  sameFiles,
  writeCertificateFiles,
} from './certificate-files.ts'
import { describeRefusal, requireFree } from './refusal.ts'
import { ensureSecret } from './secret.ts'
import { senderOf } from './sender.ts'
import { checkShown } from './shown-certificate.ts'

/** How often a Caddy that does not answer is looked for, and one that does whether it still does. */
const LOOK_MS = 100
/** From when it takes its ports to when it can be asked. */
const CADDY_START_MS = 3 * SECOND_MS
const WATCH_MS = 2 * SECOND_MS

const LIMITS = {
  maxHeaderBytes: MAX_HEADER_BYTES,
  headersTimeoutMs: HEADERS_TIMEOUT_MS,
  keepAliveMs: KEEP_ALIVE_MS,
}

/** What Caddy has been given. */
interface Given {
  readonly wanted: WantedEntrance
  readonly files: CertificateFiles
  /** Canonical JSON. */
  readonly config: string
  readonly certificates: CertificateStore
}

/**
 * Caddy holds the ports, and hands each request to us over a unix socket. Caddy is a process that others start and end:
 * what it should have lies ready for its start, and is loaded into one that runs. A certificate never makes it load
 * anything: it reads the files at each handshake.
 */
export class CaddyEntrance implements Entrance {
  readonly #arrivals: Arrivals
  readonly #places: CaddyPlaces
  readonly #admin: CaddyAdmin
  #server: Server | undefined
  #given: Given | undefined
  /** Whether Caddy was seen to have in force what it was given. */
  #serving = false
  #turn: Promise<unknown> = Promise.resolve()
  #next: NodeJS.Timeout | undefined
  #closed = false

  constructor(arrivals: Arrivals, places: CaddyPlaces) {
    this.#arrivals = arrivals
    this.#places = places
    this.#admin = createCaddyAdmin(places.adminSocket)
  }

  address(kind: 'http' | 'https'): Endpoint | undefined {
    return this.#serving ? this.#given?.wanted[kind] : undefined
  }

  async change(wanted: WantedEntrance, certificates: CertificateStore): Promise<void> {
    await this.#inTurn(async () => {
      this.#server ??= await this.#listen()
      const isThere = await this.#findCaddy(wanted)
      const secret = await ensureSecret(this.#places.secretFile, { isFree: !isThere })
      const next: Given = {
        wanted,
        certificates,
        files: certificateFilesOf(certificates),
        config: canonicalJson(caddyConfig(wanted, this.#places, secret, LIMITS)),
      }
      const before = this.#given
      await writeCertificateFiles(this.#places.certificatesFolder, next.files, before?.files ?? new Map())
      if (isThere) await this.#putInForce(next, before)
      if (next.config !== before?.config) await this.#keep(next)
      this.#given = next
      this.#serving = isThere
    })
    this.#watch()
  }

  show(): void {
    // Done by `change`: the files are read at each handshake.
  }

  async close(): Promise<void> {
    this.#closed = true
    clearTimeout(this.#next)
    await this.#turn
    if (this.#server) await retire(this.#server)
  }

  destroy(): void {
    this.#server?.closeAllConnections()
  }

  /**
   * Whether Caddy is there. One that is just starting holds its ports before it can be asked.
   * @throws AppError PORT_IN_USE, NO_PERMISSION, GATEWAY_START_FAILED
   */
  async #findCaddy(wanted: WantedEntrance): Promise<boolean> {
    for (const untilMs = performance.now() + CADDY_START_MS; ; ) {
      const held = await this.#admin.ports()
      try {
        await requireFree(wanted, held ?? [])
        return held !== undefined
      } catch (error) {
        const isOver = performance.now() > untilMs || !isAppError(error, 'PORT_IN_USE')
        if (isOver || held || (await findPortHolder(wanted.https.port))?.program !== 'caddy') throw error
        await setTimeout(LOOK_MS)
      }
    }
  }

  async #putInForce(next: Given, before: Given | undefined): Promise<void> {
    const isNew = next.config !== before?.config || !this.#serving
    try {
      if (isNew) await this.#admin.load(next.config)
      if (isNew || !sameFiles(next.files, before?.files))
        await checkShown(next.wanted.https, next.certificates)
    } catch (error) {
      const failure = await describeRefusal(error, next.wanted)
      if (before) {
        await writeCertificateFiles(this.#places.certificatesFolder, before.files, next.files)
        await this.#admin.load(before.config).catch((second: unknown) => {
          throw new AggregateError([failure, second], 'neither the new config nor the old one is in force')
        })
      }
      throw failure
    }
  }

  /** What Caddy starts with from now on. */
  async #keep({ config }: Given): Promise<void> {
    await mkdir(dirname(this.#places.configFile), { recursive: true, mode: 0o700 })
    await replace(this.#places.configFile, `${config}\n`)
  }

  /** Looks again and again whether Caddy is there, and gives one that has come what it should have. */
  #watch(): void {
    clearTimeout(this.#next)
    if (this.#closed) return
    const look = async (): Promise<void> => {
      await this.#inTurn(async () => {
        const isThere = (await this.#admin.ports()) !== undefined
        if (!isThere || this.#serving || !this.#given) {
          this.#serving &&= isThere
          return
        }
        await this.#admin.load(this.#given.config)
        await checkShown(this.#given.wanted.https, this.#given.certificates)
        this.#serving = true
      }).catch(() => undefined)
      this.#watch()
    }
    this.#next = globalThis.setTimeout(() => void look(), this.#serving ? WATCH_MS : LOOK_MS)
    this.#next.unref()
  }

  async #listen(): Promise<Server> {
    const { socketsFolder, gatewaySocket } = this.#places
    await mkdir(socketsFolder, { recursive: true, mode: 0o700 })
    await rm(gatewaySocket, { force: true })
    const server = createServer(HTTP_OPTIONS)
    server.timeout = 0
    const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
      if (!server.listening) response.setHeader('connection', 'close')
      this.#arrivals.onRequest(request, response, senderOf(request))
    }
    server.on('request', onRequest)
    server.on('checkContinue', onRequest)
    server.on('upgrade', (request, socket, head) =>
      this.#arrivals.onUpgrade(request, socket, head, senderOf(request)),
    )
    server.on('clientError', (error, socket) => this.#arrivals.onGarbage(error, socket))
    await listenPrivately(server, { path: gatewaySocket })
    return server
  }

  async #inTurn<T>(action: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(action, action)
    this.#turn = result.catch(() => undefined)
    return await result
  }
}
