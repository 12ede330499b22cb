import { STATUS_CODES } from 'node:http'
import { responseHeaders } from '@caretaker/appliance/gateway/headers.ts'
import type { Dispatcher } from 'undici'
import type { RequestExchange } from './exchange.ts'
import { fieldsOf } from './field-lines.ts'
import type { Passage } from './forwarder.ts'
import type { KeptClients } from './kept-clients.ts'
import type { Way } from './way-to.ts'

/**
 * Passes a request without body on over a kept connection and streams the answer back. Calls `again` in place of a
 * failure when the request may have met a connection that the application was just closing, or an answer that this
 * client does not understand and Node's might; nothing was sent to the client then.
 */
export function passReading(
  exchange: RequestExchange,
  passage: Passage & { readonly way: Way },
  clients: KeptClients,
  again: () => void,
): void {
  const client = clients.take(passage.upstream, passage.way)
  const reading = new Reading(exchange, passage, {
    wasConnected: client.stats.connected,
    again,
    done: (isWhole) => {
      if (isWhole) clients.giveBack(passage.upstream, client)
      else void client.destroy()
    },
  })
  exchange.ended.whenOver(() => reading.leave())
  const { method = 'GET' } = exchange.request
  client.dispatch({ method, path: passage.path, headers: passage.headers }, reading)
}

interface Course {
  readonly wasConnected: boolean
  again(): void
  /** The answer is complete, or nothing more of it is wanted or comes. */
  done(isWhole: boolean): void
}

class Reading implements Dispatcher.DispatchHandler {
  readonly #exchange: RequestExchange
  readonly #passage: Passage
  readonly #course: Course
  #begun = false
  #flowing = false
  #isDone = false

  constructor(exchange: RequestExchange, passage: Passage, course: Course) {
    this.#exchange = exchange
    this.#passage = passage
    this.#course = course
  }

  /** The client has gone: what still runs for it ends. */
  leave(): void {
    this.#done(false)
  }

  /** Required of a handler. */
  onRequestStart(): void {}

  onResponseStart(controller: Dispatcher.DispatchController, status: number): void {
    // Interim answers are for the one who sent the request, and that is us.
    if (status >= 100 && status < 200) return
    if (status < 100) {
      controller.abort(NO_STATUS)
      return
    }
    const { response } = this.#exchange
    const headers = responseHeaders(
      fieldsOf(controller.rawHeaders as readonly Buffer[]),
      this.#passage.requestId,
    )
    const isStream = /^text\/event-stream\b/i.test(String(headers['content-type'] ?? ''))
    if (status === 204) delete headers['content-length']
    headers['connection'] = response.getHeader('connection') === 'close' ? 'close' : 'keep-alive'
    this.#begun = true
    this.#passage.onAnswer(status, isStream)
    response.writeHead(status, STATUS_CODES[status] ?? '', headers)
    // An answer whose first byte is late must not keep its headers back; one that has bytes sends all in one go.
    queueMicrotask(() => {
      if (!this.#flowing) setImmediate(() => this.#flush())
    })
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    const { response } = this.#exchange
    this.#flowing = true
    if (response.write(chunk)) return
    controller.pause()
    response.once('drain', () => controller.resume())
  }

  onResponseEnd(): void {
    this.#flowing = true
    this.#exchange.response.end()
    this.#done(true)
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    const { response, ended } = this.#exchange
    this.#done(false)
    if (this.#begun) response.destroy()
    else if (ended.isOver) return
    else if (this.#isWorthAnother(error)) this.#course.again()
    else this.#passage.onFailure(error)
  }

  #done(isWhole: boolean): void {
    if (this.#isDone) return
    this.#isDone = true
    this.#course.done(isWhole)
  }

  #flush(): void {
    if (!this.#flowing && !this.#exchange.response.destroyed) this.#exchange.response.flushHeaders()
  }

  #isWorthAnother(error: Error & { code?: string; socket?: { bytesRead?: number } | null }): boolean {
    const { code, socket } = error
    if (code === 'UND_ERR_SOCKET') return this.#course.wasConnected || (socket?.bytesRead ?? 0) > 0
    if (code === 'ECONNRESET' || code === 'EPIPE') return this.#course.wasConnected
    return error === NO_STATUS || code === 'UND_ERR_INVALID_ARG'
  }
}

const NO_STATUS = new Error('the application answered with a status that is none')
