import { type ClientRequest, type IncomingMessage, STATUS_CODES } from 'node:http'
import { Readable } from 'node:stream'
import type { Endpoint } from '@caretaker/appliance/gateway/gateway-config.ts'
import { type HeaderMap, responseHeaders } from '@caretaker/appliance/gateway/headers.ts'
import { createProxyServer } from 'httpxy'
import { hasBody } from './bad-request.ts'
import type { RequestExchange, UpgradeExchange } from './exchange.ts'
import { KeptClients } from './kept-clients.ts'
import { passReading } from './reading.ts'
import { type Way, wayTo } from './way-to.ts'

/** A request on its way to an application. */
export interface Passage {
  readonly upstream: Endpoint
  readonly path: string
  /** From `requestHeaders`. */
  readonly headers: HeaderMap
  readonly requestId: string
  /** The answer begins: its status, and whether it is a stream that lasts. */
  onAnswer(status: number, stream: boolean): void
  /** The application did not answer; nothing was sent to the client. */
  onFailure(error: Error): void
}

const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS'])

/**
 * Passes requests on to applications, streaming both ways.
 *
 * A kept connection may have been closed by the application while the next request was under way, and nobody can
 * tell whether that request was read. So only a safe request (RFC 9110, 9.2.1) without body goes over a kept
 * connection, and it alone is sent a second time, over a new one. All others get a new connection: they are never
 * sent twice and never meet a stale one.
 *
 * What goes over kept connections is nearly everything, and passed on by undici's client, which takes about 0.6 of the
 * CPU of Node's own. Bodies and websockets go through httpxy.
 */
export class Forwarder {
  readonly #clients = new KeptClients()
  readonly #proxy = createProxyServer({})
  readonly #passages = new WeakMap<IncomingMessage, Passage>()

  constructor() {
    this.#proxy.on('proxyReq', (attempt) => {
      // Nobody asked for another protocol: without a listener the client would wait for ever.
      attempt.once('upgrade', (_answer, upstream) => {
        upstream.destroy()
        attempt.emit('error', new Error('switched to another protocol unasked'))
      })
    })
    this.#proxy.on('proxyRes', (answer, request, response) => {
      const passage = this.#passages.get(request as IncomingMessage)
      if (!passage) return
      cleanStatusLine(answer)
      const close = response.getHeader('connection') === 'close'
      answer.headers = {
        ...responseHeaders(answer.headers, passage.requestId),
        connection: close ? 'close' : 'keep-alive',
      }
      const stream = /^text\/event-stream\b/i.test(answer.headers['content-type'] ?? '')
      if (answer.statusCode === 204) delete answer.headers['content-length']
      passage.onAnswer(answer.statusCode ?? 502, stream)
      // An answer whose first byte is late must not keep its headers back; one that has bytes sends all in one go.
      setImmediate(() => {
        if (!response.headersSent && !response.destroyed && 'flushHeaders' in response)
          response.flushHeaders()
      })
    })
  }

  /** Passes an ordinary request on. `response` may hold `connection: close` to end the connection after it. */
  forward(exchange: RequestExchange, passage: Passage): void {
    const way = wayTo(passage.upstream.host)
    if (!way) return passage.onFailure(noWay(passage))
    const { request } = exchange
    const isRepeatable = !hasBody(request) && SAFE_METHODS.has(request.method ?? '')
    if (isRepeatable)
      passReading(exchange, { ...passage, way }, this.#clients, () =>
        this.#send(exchange, passage, way, 'again'),
      )
    else this.#send(exchange, passage, way, 'first')
  }

  /** Over a new connection. */
  #send(exchange: RequestExchange, passage: Passage, way: Way, turn: 'first' | 'again'): void {
    const { request, response } = exchange
    request.url = passage.path
    request.headers = passage.headers as IncomingMessage['headers']
    this.#passages.set(request, passage)
    const options = {
      target: { protocol: 'http:', ...passage.upstream },
      ...way,
      agent: false as never,
      // Sent again is only what has no body.
      ...(turn === 'first' ? {} : { buffer: Readable.from([]) }),
    }
    this.#proxy.web(request, response, options).catch((error: unknown) => {
      if (!response.headersSent && !exchange.ended.isOver) passage.onFailure(error as Error)
    })
  }

  /** Passes a websocket handshake on, then the bytes both ways until one side ends. */
  upgrade(exchange: UpgradeExchange, passage: Passage): void {
    const way = wayTo(passage.upstream.host)
    if (!way) return passage.onFailure(noWay(passage))
    const { request, socket, head } = exchange
    request.url = passage.path
    request.headers = {
      ...passage.headers,
      connection: 'Upgrade',
      upgrade: 'websocket',
    } as IncomingMessage['headers']
    const take = (attempt: ClientRequest, of: IncomingMessage): void => {
      if (of !== request) return
      this.#proxy.off('proxyReqWs', take)
      // These listeners come before those of the library, which closes the socket without a word.
      attempt.on('error', (error) => passage.onFailure(error))
      attempt.on('response', (answer) => {
        cleanStatusLine(answer)
        answer.headers = { ...answer.headers, 'x-request-id': passage.requestId }
        passage.onAnswer(answer.statusCode ?? 502, false)
      })
      attempt.on('upgrade', (answer, upstream) => {
        answer.headers['x-request-id'] = passage.requestId
        passage.onAnswer(101, true)
        upstream.once('close', () => socket.destroy())
        socket.once('close', () => upstream.destroy())
      })
      socket.once('close', () => attempt.destroy())
    }
    this.#proxy.on('proxyReqWs', take)
    // Its errors were told above.
    this.#proxy
      .ws(request, socket as never, { target: { protocol: 'http:', ...passage.upstream }, ...way }, head)
      .catch(() => undefined)
  }

  close(): void {
    this.#clients.close()
  }
}

const noWay = ({ upstream }: Passage) =>
  new Error(`no network of this machine holds ${upstream.host}: nothing is sent elsewhere`)

/**
 * The status line as any client understands it. Node reads codes from 000 to 999 and any byte in the reason, and
 * throws when it has to write those: that must not end the gateway. The reason has no meaning (RFC 9112, 4).
 */
function cleanStatusLine(answer: IncomingMessage): void {
  if ((answer.statusCode ?? 0) < 200) answer.statusCode = 502
  answer.statusMessage = STATUS_CODES[answer.statusCode ?? 502] ?? ''
}
