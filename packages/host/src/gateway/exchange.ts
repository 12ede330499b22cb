import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import type { PageResponse } from '@caretaker/appliance/gateway/service-page.ts'
import { Ending } from './ending.ts'
import type { Sender } from './entrance.ts'

/** One request and the way to answer it: an ordinary response, or the bare socket of a websocket handshake. */
export interface Exchange {
  readonly request: IncomingMessage
  readonly sender: Sender
  /** The client has gone or everything is answered. */
  readonly ended: Ending
  readonly kind: 'request' | 'upgrade'
  /** Answers in place of an application; does nothing once an answer has begun. */
  reply(answer: PageResponse): void
}

export interface RequestExchange extends Exchange {
  readonly kind: 'request'
  readonly response: ServerResponse
}

export interface UpgradeExchange extends Exchange {
  readonly kind: 'upgrade'
  readonly socket: Duplex
  readonly head: Buffer
}

export function requestExchange(
  request: IncomingMessage,
  response: ServerResponse,
  sender: Sender,
): RequestExchange {
  const ended = new Ending()
  response.once('close', () => ended.end())
  // The client going away in the middle of its body is no fault of ours; `close` follows and tells the rest.
  request.on('error', () => undefined)
  return {
    kind: 'request',
    request,
    response,
    sender,
    ended,
    reply(answer) {
      if (response.headersSent || response.destroyed) return
      const close = response.getHeader('connection') === 'close'
      for (const name of response.getHeaderNames()) response.removeHeader(name)
      if (close) response.setHeader('connection', 'close')
      response.writeHead(answer.status, { ...answer.headers })
      response.end(answer.body)
      // A body that nobody will read must not stop the next request on this connection.
      request.unpipe()
      request.resume()
    },
  }
}

export function upgradeExchange(
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  sender: Sender,
): UpgradeExchange {
  const ended = new Ending()
  let answered = false
  socket.once('close', () => ended.end())
  socket.on('error', () => undefined)
  return {
    kind: 'upgrade',
    request,
    socket,
    head,
    sender,
    ended,
    reply(answer) {
      if (answered) return
      answered = true
      endWith(socket, answer)
    },
  }
}

/** How long the other side may take to read the last answer and close; then the connection ends without asking. */
const LINGER_MS = 2000

/** Writes a whole answer to a bare socket and closes it. */
export function endWith(socket: Duplex, answer: PageResponse): void {
  if (!socket.writable) {
    socket.destroy()
    return
  }
  const lines = Object.entries({ ...answer.headers, connection: 'close' }).map(
    ([name, value]) => `${name}: ${value}`,
  )
  const first = `HTTP/1.1 ${answer.status} ${STATUS_CODES[answer.status] ?? ''}`
  // Closing at once would lose the answer when the other side is still sending; never closing would let it stay.
  setTimeout(() => socket.destroy(), LINGER_MS).unref()
  socket.end(`${[first, ...lines].join('\r\n')}\r\n\r\n${answer.body}`)
}
