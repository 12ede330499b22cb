import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { AppError, toAppError } from '@caretaker/kernel/errors.ts'
import { SECOND_MS } from '@caretaker/kernel/time.ts'
import { listenPrivately } from './private-socket.ts'

/** For the head of a request, and for all of it. */
const HEAD_TIMEOUT_MS = 10 * SECOND_MS
const REQUEST_TIMEOUT_MS = 30 * SECOND_MS

/** Other users of this machine can connect to a TCP port: they must not use up the files of the daemon. */
const MAX_CONNECTIONS = 200

export interface ServedRequest {
  /** As sent; `HEAD` arrives as `GET` and its answer goes out without the body. */
  readonly method: string
  /** Without the query. */
  readonly path: string
  readonly query: URLSearchParams
  readonly headers: IncomingHttpHeaders
  /** UTF-8. */
  readonly body: string
  /** Fires when the connection is gone, also after the answer. */
  readonly gone: AbortSignal
}

export interface ServedAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | Readable
}

export interface HttpServer extends AsyncDisposable {
  /** TCP port; 0 on a unix socket. */
  readonly port: number
}

export interface HttpServerOptions {
  /** A unix socket, or a host and a TCP port, 0 for one that the system chooses. */
  readonly at: { readonly path: string } | { readonly host: string; readonly port: number }
  /** Larger bodies are answered with 413. */
  readonly bodyLimitBytes: number
  /** What it throws is answered as JSON: USAGE with 400, everything else with 500. */
  answer(request: ServedRequest): ServedAnswer | Promise<ServedAnswer>
}

/**
 * A small HTTP server for what the daemon itself has to say, until disposed: then open connections are cut.
 * @throws the error of the system when it cannot listen there
 */
export async function serveHttp(options: HttpServerOptions): Promise<HttpServer> {
  const timeouts = { headersTimeout: HEAD_TIMEOUT_MS, requestTimeout: REQUEST_TIMEOUT_MS }
  const server = createServer(timeouts, (request, response) => {
    // A connection that is lost while it is answered is the client's decision.
    void respond(options, request, response).catch(() => response.destroy())
  })
  server.maxConnections = MAX_CONNECTIONS
  await listenPrivately(server, options.at)
  const address = server.address() as AddressInfo | string
  return {
    port: typeof address === 'string' ? 0 : address.port,
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      server.closeAllConnections()
      await closed
    },
  }
}

/** An answer that is one JSON document. */
export function jsonAnswer(status: number, value: unknown): ServedAnswer {
  return {
    status,
    headers: { 'content-type': 'application/json; charset=utf-8' },
    body: JSON.stringify(value),
  }
}

async function respond(
  options: HttpServerOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const gone = new AbortController()
  response.on('close', () => gone.abort())
  const answer = await answerTo(options, request, gone.signal)
  // What was not read of the request would be taken for the next one.
  const closing = request.complete ? {} : { connection: 'close' }
  const length =
    typeof answer.body === 'string' ? { 'content-length': Buffer.byteLength(answer.body).toString() } : {}
  response.writeHead(answer.status, { ...answer.headers, ...length, ...closing })
  if (request.method === 'HEAD') response.end()
  else if (typeof answer.body === 'string') response.end(answer.body)
  else await pipeline(answer.body, response)
}

async function answerTo(
  options: HttpServerOptions,
  request: IncomingMessage,
  gone: AbortSignal,
): Promise<ServedAnswer> {
  try {
    const body = await readBody(request, options.bodyLimitBytes)
    if (body === undefined) return jsonAnswer(413, { error: tooLarge(options.bodyLimitBytes).toReport() })
    const [path = '/', query = ''] = (request.url ?? '/').split(/\?(.*)/s)
    const method = request.method === 'HEAD' ? 'GET' : (request.method ?? 'GET')
    return await options.answer({
      method,
      path,
      query: new URLSearchParams(query),
      headers: request.headers,
      body,
      gone,
    })
  } catch (error) {
    const reported = toAppError(error)
    return jsonAnswer(reported.code === 'USAGE' ? 400 : 500, { error: reported.toReport() })
  }
}

/** Undefined when it is larger than `limit` bytes; the rest is then left unread. */
async function readBody(request: IncomingMessage, limit: number): Promise<string | undefined> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > limit) return undefined
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function tooLarge(limit: number): AppError {
  return new AppError('USAGE', {
    what: 'The request was not taken',
    why: `its body is larger than ${limit} bytes`,
    next: 'Send less at once',
  })
}
