import type { HttpRequest, HttpResponse, Listener, Network } from './network.ts'

/** What an address answers: a response, a failure, or a function of the request. */
export type FakeResponse =
  | Partial<HttpResponse>
  | Error
  | ((request: HttpRequest) => Partial<HttpResponse> | Promise<Partial<HttpResponse>>)

const IP_ADDRESS = /^[\d.]+$|:/

type Listening = Awaited<ReturnType<Network['canListen']>>

/** A network of scripted answers. Asked requests stand in `requests`; where nothing is scripted nobody answers. */
export class FakeNetwork implements Network {
  readonly requests: HttpRequest[] = []
  readonly #answers: { readonly prefix: string; readonly answer: FakeResponse }[] = []
  readonly #ports = new Map<number, Listening>()
  readonly #listeners = new Map<number, Listener>()
  readonly #uids = new Map<number, number>()
  readonly #names = new Map<string, readonly string[]>()
  readonly #certificates = new Map<string, string>()
  #lastPort = 20_000

  /** Scripts the answer to every URL that begins so (or socket path that equals it); the latest script counts. */
  on(prefix: string, answer: FakeResponse): this {
    this.#answers.unshift({ prefix, answer })
    return this
  }

  /** From now on listening on this port is impossible for this reason. */
  occupy(port: number, reason: Exclude<Listening, 'yes'> = 'in-use'): this {
    this.#ports.set(port, reason)
    return this
  }

  async request(request: HttpRequest): Promise<HttpResponse> {
    this.requests.push(request)
    const found = this.#answers.find(
      ({ prefix }) => request.socketPath === prefix || request.url.startsWith(prefix),
    )
    if (!found) {
      throw Object.assign(new Error(`connect ECONNREFUSED ${request.url}`), { code: 'ECONNREFUSED' })
    }
    if (found.answer instanceof Error) throw found.answer
    const answer = typeof found.answer === 'function' ? await found.answer(request) : found.answer
    return { status: 200, body: '', ...answer, headers: lowerCase(answer.headers ?? {}) }
  }

  async freePort(): Promise<number> {
    return ++this.#lastPort
  }

  async canListen(_host: string, port: number): Promise<Listening> {
    return this.#ports.get(port) ?? 'yes'
  }

  /** From now on this process, of this user, is seen to listen on the port. */
  listen(port: number, listener: Listener, uid = 1000): this {
    this.#listeners.set(port, listener)
    this.#uids.set(port, uid)
    return this.occupy(port)
  }

  async listener(port: number): Promise<Listener | undefined> {
    return this.#listeners.get(port)
  }

  async listenerUids(port: number): Promise<readonly number[]> {
    const uid = this.#uids.get(port)
    return uid === undefined ? [] : [uid]
  }

  /** From now on the name stands for these addresses. */
  name(host: string, addresses: readonly string[]): this {
    this.#names.set(host, addresses)
    return this
  }

  async resolve(host: string): Promise<readonly string[]> {
    if (host === 'localhost' || host.endsWith('.localhost')) return ['127.0.0.1']
    return this.#names.get(host) ?? (IP_ADDRESS.test(host) ? [host] : [])
  }

  /** From now on a TLS server there shows this certificate to who asks for the name. */
  show(port: number, serverName: string, certPem: string): this {
    this.#certificates.set(`${port} ${serverName}`, certPem)
    return this
  }

  async servedCertificate(host: string, port: number, serverName: string): Promise<string> {
    const shown = this.#certificates.get(`${port} ${serverName}`)
    if (shown === undefined) throw new Error(`connect ECONNREFUSED ${host}:${port}`)
    return shown
  }

  addresses(): readonly string[] {
    return ['127.0.0.1', '::1']
  }
}

function lowerCase(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))
}
