/** An HTTP request to one address we know, mostly our own applications. No redirects are followed. */
export interface HttpRequest {
  readonly method?: string
  /** http: or https: URL, or with `socketPath` any URL whose path counts. */
  readonly url: string
  readonly socketPath?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  readonly timeoutMs: number
  /** PEM of the authority to trust for https. */
  readonly ca?: string
}

export interface HttpResponse {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** At most 1 MiB; the rest is cut. */
  readonly body: string
}

export interface Listener {
  readonly pid: number
  /** Name of its program as the kernel knows it. */
  readonly program: string
}

export interface Network {
  /** @throws Error when nothing answers in time. */
  request(request: HttpRequest): Promise<HttpResponse>
  /**
   * A TCP port of the loopback address that was free just now; below the range from which outgoing connections take
   * theirs, where there is room.
   */
  freePort(): Promise<number>
  /** Whether something can listen there now. */
  canListen(host: string, port: number): Promise<'yes' | 'in-use' | 'no-permission' | 'no-address'>
  /** The process that listens on a TCP port of this machine; undefined when there is none or it cannot be seen. */
  listener(port: number): Promise<Listener | undefined>
  /** User ids of those who get what connects to 127.0.0.1 at a TCP port; none when nobody listens. */
  listenerUids(port: number): Promise<readonly number[]>
  /** The addresses a host name stands for, as the machine resolves it; none when it does not within `timeoutMs`. */
  resolve(host: string, timeoutMs: number): Promise<readonly string[]>
  /**
   * The certificate that a TLS server shows to a client that asks for `serverName`, as PEM; whether it is trusted does
   * not matter. @throws Error when nobody answers in TLS within `timeoutMs`.
   */
  servedCertificate(host: string, port: number, serverName: string, timeoutMs: number): Promise<string>
  /** The addresses of this machine, loopback included. */
  addresses(): readonly string[]
}
