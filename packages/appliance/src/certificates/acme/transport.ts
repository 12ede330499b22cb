import { AsyncLocalStorage } from 'node:async_hooks'
import { messageOf } from '@caretaker/kernel/errors.ts'
import { SECOND_MS } from '@caretaker/kernel/time.ts'
import type { Clock } from '@caretaker/ports/clock.ts'
import type { HttpResponse, Network } from '@caretaker/ports/network.ts'
import type * as AcmeLibrary from './library.ts'
import { AcmeProblem, AcmeUnreachable, parseRetryAfter } from './problem.ts'

/** A directory that takes longer has trouble; the next try comes anyway. */
const ANSWER_MS = 20 * SECOND_MS
/** Nonces that a server refuses in a row before it is said to refuse us (Let's Encrypt: rarely one). */
const BAD_NONCES = 10
const BAD_NONCE = 'urn:ietf:params:acme:error:badNonce'

type Library = Pick<typeof AcmeLibrary, 'axios'>

/** What the HTTP client inside acme-client hands to its adapter, as far as it is used here. */
interface Outgoing {
  readonly url?: string
  readonly method?: string
  readonly data?: string
  readonly headers?: Readonly<Record<string, unknown>>
}

/**
 * Sends what acme-client wants to send, by the port, without its retries: how long to wait is decided by the caller.
 * A nonce that came with an answer is used for the next request. Errors are {@link AcmeProblem} and
 * {@link AcmeUnreachable}.
 */
export class AcmeTransport {
  readonly #deps: { readonly network: Pick<Network, 'request'>; readonly clock: Clock }
  readonly #ca: string | undefined
  #nonce: string | undefined
  #badNonces = 0
  /** What the last answer asked to wait, in ms. */
  retryAfterMs: number | undefined

  constructor(
    deps: { readonly network: Pick<Network, 'request'>; readonly clock: Clock },
    ca: string | undefined,
  ) {
    this.#deps = deps
    this.#ca = ca
  }

  /** Runs calls of acme-client so that their requests come here. */
  async run<T>(library: Library, work: () => Promise<T>): Promise<T> {
    library.axios.defaults.adapter = adapter
    return await current.run(this, work)
  }

  async send(outgoing: Outgoing) {
    const method = (outgoing.method ?? 'get').toUpperCase()
    if (method === 'HEAD' && this.#nonce !== undefined) {
      const headers = { 'replay-nonce': this.#nonce }
      this.#nonce = undefined
      return { status: 200, statusText: '', headers, data: '', config: outgoing as never }
    }
    const response = await this.#request(method, outgoing)
    this.#nonce = response.headers['replay-nonce']
    this.retryAfterMs = parseRetryAfter(response.headers['retry-after'], this.#deps.clock.now())
    const { status, headers, body } = response
    if (status >= 400 && !this.#mayTryAnotherNonce(body)) {
      throw AcmeProblem.of(status, body, this.retryAfterMs, outgoing.url ?? '')
    }
    return { status, statusText: '', headers, data: body, config: outgoing as never }
  }

  async #request(method: string, outgoing: Outgoing): Promise<HttpResponse> {
    const headers = Object.fromEntries(
      Object.entries(outgoing.headers ?? {}).flatMap(([name, value]) =>
        typeof value === 'string' ? [[name, value]] : [],
      ),
    )
    try {
      return await this.#deps.network.request({
        method,
        url: outgoing.url ?? '',
        headers: { ...headers, 'content-type': 'application/jose+json', 'user-agent': 'caretaker' },
        timeoutMs: ANSWER_MS,
        ...(outgoing.data === undefined ? {} : { body: outgoing.data }),
        ...(this.#ca === undefined ? {} : { ca: this.#ca }),
      })
    } catch (cause) {
      throw new AcmeUnreachable(`${outgoing.url}: ${messageOf(cause)}`, cause)
    }
  }

  /** acme-client tries again by itself with the nonce of the refusal. */
  #mayTryAnotherNonce(body: string): boolean {
    if (!body.includes(BAD_NONCE)) return false
    this.#badNonces += 1
    return this.#badNonces <= BAD_NONCES
  }

  /** A request was taken: refused nonces count anew. */
  taken(): void {
    this.#badNonces = 0
  }
}

const current = new AsyncLocalStorage<AcmeTransport>()

/** Takes the place of the HTTP client of acme-client; which transport is used follows from who calls. */
async function adapter(outgoing: unknown) {
  const transport = current.getStore()
  if (!transport) throw new Error('acme-client was called outside of a transport')
  return (await transport.send(outgoing as Outgoing)) as never
}
