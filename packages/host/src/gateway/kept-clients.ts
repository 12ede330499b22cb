import type { Endpoint } from '@caretaker/appliance/gateway/gateway-config.ts'
import { MINUTE_MS } from '@caretaker/kernel/time.ts'
import Client from 'undici/lib/dispatcher/client.js'
import { MAX_IDLE_UPSTREAM } from './limits.ts'
import type { Way } from './way-to.ts'

/** An idle connection to an application that names no time of its own is given up after this long. */
const IDLE_MS = MINUTE_MS

/** Connections to applications, kept between requests. Each carries one request at a time. */
export class KeptClients {
  readonly #idle = new Map<string, Client[]>()
  #closed = false

  /** For one request; `giveBack` when its answer is complete, `destroy` it when it failed. */
  take(upstream: Endpoint, way: Way): Client {
    const origin = originOf(upstream)
    return this.#idle.get(origin)?.pop() ?? this.#create(origin, way)
  }

  giveBack(upstream: Endpoint, client: Client): void {
    const origin = originOf(upstream)
    const idle = this.#idle.get(origin) ?? []
    if (this.#closed || idle.length >= MAX_IDLE_UPSTREAM) void client.close()
    else if (idle.push(client) === 1) this.#idle.set(origin, idle)
  }

  close(): void {
    this.#closed = true
    for (const client of [...this.#idle.values()].flat()) void client.destroy()
    this.#idle.clear()
  }

  #create(origin: string, way: Way): Client {
    const client = new Client(origin, {
      // An application may take as long as it takes.
      headersTimeout: 0,
      bodyTimeout: 0,
      connectTimeout: 0,
      keepAliveTimeout: IDLE_MS,
      allowH2: false,
      ...way,
    })
    client.on('disconnect', () => this.#forget(origin, client))
    return client
  }

  #forget(origin: string, client: Client): void {
    const idle = this.#idle.get(origin)
    const at = idle?.indexOf(client) ?? -1
    if (at >= 0) idle?.splice(at, 1)
    if (idle?.length === 0) this.#idle.delete(origin)
  }
}

function originOf({ host, port }: Endpoint): string {
  return host.includes(':') ? `http://[${host}]:${port}` : `http://${host}:${port}`
}
