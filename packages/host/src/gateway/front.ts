import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { AppTraffic } from '@caretaker/appliance/gateway/gateway.ts'
import type { Endpoint, GatewayConfig, Route } from '@caretaker/appliance/gateway/gateway-config.ts'
import { requestHeaders, requestIdFor } from '@caretaker/appliance/gateway/headers.ts'
import {
  challengeToken,
  compileRoutes,
  decide,
  httpsUrl,
  parseTarget,
  type RouteTable,
  type Target,
} from '@caretaker/appliance/gateway/routing.ts'
import {
  PAGES,
  type Page,
  type PageResponse,
  renderPage,
  servicePage,
} from '@caretaker/appliance/gateway/service-page.ts'
import { assertNever } from '@caretaker/kernel/assert.ts'
import { AppError } from '@caretaker/kernel/errors.ts'
import { AccessRecord } from './access-log.ts'
import { Admission } from './admission.ts'
import { hasBody, refusalOf } from './bad-request.ts'
import { endSilentBody } from './body-idle.ts'
import { type Exchange, endWith, type RequestExchange, type UpgradeExchange } from './exchange.ts'
import { Forwarder } from './forwarder.ts'
import type { LogLine } from './refusal-log.ts'
import { Traffic } from './traffic.ts'

export interface FrontOptions {
  readonly accessLog: LogLine | undefined
  readonly log: LogLine | undefined
  /** Port people type for HTTPS. */
  readonly publicPort: () => number
  /** The answer to an HTTP-01 challenge; undefined for a token that is not ours. */
  readonly challengeAnswer: (token: string) => Promise<string | undefined>
}

/** Answers every request, by the config in force at that moment. */
export class Front {
  readonly #options: FrontOptions
  readonly #forwarder = new Forwarder()
  readonly #apps = new Map<string, Traffic>()
  readonly #unrouted = new Traffic()
  readonly #admission: Admission
  readonly #upgraded = new Set<Duplex>()
  #table: RouteTable = compileRoutes({ routes: [] })

  constructor(options: FrontOptions) {
    this.#options = options
    this.#admission = new Admission(options.log)
  }

  /** Takes effect for every request that is not yet passed on, waiting ones included. */
  use(config: GatewayConfig): void {
    this.#table = compileRoutes(config)
    this.#admission.use(config)
    const reachable = new Set(config.routes.filter((route) => route.upstream).map((route) => route.app))
    for (const route of config.routes) this.#trafficOf(route.app)
    for (const [app, traffic] of this.#apps) {
      // What waits for an application that is not served any more reads the reason now.
      if (config.service || !reachable.has(app)) traffic.release()
    }
  }

  /** @throws AppError APP_UNKNOWN */
  traffic(app: string): Traffic {
    const traffic = this.#apps.get(app)
    if (traffic) return traffic
    throw new AppError('APP_UNKNOWN', {
      what: `The gateway knows no application "${app}"`,
      why: `it serves ${[...this.#apps.keys()].join(', ') || 'none'}`,
      next: 'Run "caretaker status" to see the applications',
    })
  }

  counts(): { apps: readonly AppTraffic[]; unrouted: Readonly<Record<string, number>> } {
    return {
      apps: [...this.#apps].map(([app, traffic]) => ({ app, ...traffic.counts() })),
      unrouted: this.#unrouted.counts().answered,
    }
  }

  /** Calls `accept` when the connection is taken; ends it otherwise. */
  take(socket: Socket, accept: () => void): void {
    this.#admission.take(socket, accept)
  }

  answer(exchange: RequestExchange | UpgradeExchange): void {
    const request = exchange.request
    const { client } = exchange.sender
    const peer =
      client === undefined ? this.#admission.peerOf(request.socket) : this.#admission.peerAt(client)
    const requestId = requestIdFor(request.headers, peer)
    const record = new AccessRecord(exchange, peer.address, requestId, this.#options.accessLog)
    if (exchange.kind === 'request' && wantsClose(exchange)) {
      exchange.response.setHeader('connection', 'close')
    }
    this.#pass({ exchange, peer, requestId, record }).catch(() => {
      // A fault of ours: the client sees a closed connection, never a stack.
      request.socket.destroy()
    })
  }

  /** Bytes that are no request: says so, unless an answer is under way on that connection. */
  garbage(error: NodeJS.ErrnoException, socket: Duplex, busy: boolean): void {
    if (busy || error.code === 'ECONNRESET') {
      socket.destroy()
      return
    }
    const page =
      error.code === 'HPE_HEADER_OVERFLOW'
        ? PAGES.headersTooLarge
        : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
          ? PAGES.requestTimeout
          : PAGES.badRequest
    this.#unrouted.answered(page.status)
    const requestId = requestIdFor({}, { address: '', trusted: false })
    endWith(socket, renderPage(page, { method: 'GET', accept: undefined, requestId }))
  }

  /** What waits gets the service page. */
  close(): void {
    for (const traffic of this.#apps.values()) traffic.giveUp()
  }

  /** Ends websockets, the kept connections to applications, and connections that have not begun. */
  destroy(): void {
    this.#admission.destroy()
    for (const socket of this.#upgraded) socket.destroy()
    this.#forwarder.close()
  }

  async #pass(arrival: Arrival): Promise<void> {
    const { exchange, peer } = arrival
    const { headers, url = '' } = exchange.request
    const refusal = refusalOf(exchange.request, exchange.kind)
    if (refusal) return this.#refuse(arrival, refusal)
    const target = parseTarget(url, headers.host)
    if (!target) return this.#reply(arrival, PAGES.badRequest, undefined)
    const token = challengeToken(target.path)
    const proof = token === undefined ? undefined : await this.#options.challengeAnswer(token)
    if (proof !== undefined) return this.#prove(arrival, proof)
    const secure = exchange.sender.secure || (peer.trusted && headers['x-forwarded-proto'] === 'https')
    const arrivedMs = performance.now()
    for (;;) {
      const decision = decide(this.#table, { ...target, secure })
      switch (decision.kind) {
        case 'service':
          return this.#reply(arrival, servicePage(decision.reason, new Date()), decision.app)
        case 'redirect':
          return this.#redirect(arrival, httpsUrl(decision.host, this.#options.publicPort(), target.path))
        case 'unknown-host':
          return this.#reply(arrival, PAGES.unknownHost, undefined)
        case 'no-path':
          return this.#reply(arrival, PAGES.noPath, undefined)
        case 'forward': {
          const { route } = decision
          const traffic = this.#trafficOf(route.app)
          if (!traffic.holding) return this.#forward(arrival, route, decision.upstream, target)
          const leftMs = route.maxHoldMs - (performance.now() - arrivedMs)
          const outcome = await traffic.wait(Math.max(0, leftMs), exchange.ended)
          if (outcome === 'gone') return
          if (outcome !== 'released') {
            const page = route.reason ? servicePage(route.reason, new Date()) : PAGES.holdOver
            return this.#reply(arrival, page, route.app)
          }
          break
        }
        default:
          assertNever(decision)
      }
    }
  }

  #forward(arrival: Arrival, route: Route, upstream: Endpoint, target: Target): void {
    const { exchange, requestId, record } = arrival
    const traffic = this.#trafficOf(route.app)
    record.app = route.app
    traffic.opened(exchange)
    exchange.ended.whenOver(() => traffic.closed(exchange))
    const passage = {
      upstream,
      path: target.path,
      requestId,
      headers: requestHeaders(exchange.request.headers, {
        peer: arrival.peer,
        requestId,
        host: target.authority,
        port: this.#options.publicPort(),
      }),
      onAnswer: (status: number, stream: boolean): void => {
        traffic.answered(status)
        record.status = status
        if (stream) traffic.becameStream(exchange)
      },
      onFailure: (error: Error): void => {
        record.failure = (error as NodeJS.ErrnoException).code ?? error.message
        this.#reply(arrival, PAGES.notAnswering, route.app)
      },
    }
    if (exchange.kind === 'upgrade') {
      this.#upgraded.add(exchange.socket)
      exchange.socket.once('close', () => this.#upgraded.delete(exchange.socket))
      this.#forwarder.upgrade(exchange, passage)
    } else {
      const { request } = exchange
      if (request.headers.expect !== undefined && request.httpVersionMinor > 0)
        exchange.response.writeContinue()
      if (hasBody(request)) endSilentBody(request, exchange.response)
      this.#forwarder.forward(exchange, passage)
    }
  }

  /** Where the next request on that connection begins is in doubt: it is closed. */
  #refuse(arrival: Arrival, page: Page): void {
    const { exchange } = arrival
    if (exchange.kind === 'request') {
      exchange.response.setHeader('connection', 'close')
    }
    this.#reply(arrival, page, undefined)
  }

  #reply(arrival: Arrival, page: Page, app: string | undefined): void {
    const { request } = arrival.exchange
    const { requestId } = arrival
    const wish = { method: request.method ?? 'GET', accept: request.headers.accept, requestId }
    this.#send(arrival, renderPage(page, wish), app)
  }

  #redirect(arrival: Arrival, location: string): void {
    const headers = { location, 'content-length': '0', 'x-request-id': arrival.requestId }
    this.#send(arrival, { status: 308, headers, body: '' }, undefined)
  }

  #prove(arrival: Arrival, proof: string): void {
    const headers = {
      'content-type': 'application/octet-stream',
      'content-length': String(Buffer.byteLength(proof)),
      'x-request-id': arrival.requestId,
    }
    const body = arrival.exchange.request.method === 'HEAD' ? '' : proof
    this.#send(arrival, { status: 200, headers, body }, undefined)
  }

  #send(arrival: Arrival, answer: PageResponse, app: string | undefined): void {
    const traffic = app === undefined ? this.#unrouted : this.#trafficOf(app)
    traffic.answered(answer.status)
    arrival.record.app ??= app
    arrival.record.status = answer.status
    arrival.exchange.reply(answer)
  }

  #trafficOf(app: string): Traffic {
    let traffic = this.#apps.get(app)
    if (!traffic) {
      traffic = new Traffic()
      this.#apps.set(app, traffic)
    }
    return traffic
  }
}

interface Arrival {
  readonly exchange: RequestExchange | UpgradeExchange
  readonly peer: { readonly address: string; readonly trusted: boolean }
  readonly requestId: string
  readonly record: AccessRecord
}

/** Also after an upgrade that is not made: the parser drops what came with it, so a request behind it has no answer. */
function wantsClose(exchange: Exchange): boolean {
  const { headers, httpVersion } = exchange.request
  return (
    httpVersion === '1.0' ||
    headers.upgrade !== undefined ||
    /(^|,)\s*close\s*(,|$)/i.test(headers.connection ?? '')
  )
}
