import type { Exchange } from './exchange.ts'
import type { LogLine } from './refusal-log.ts'

/** Longest path in a line; a query may hold secrets and is left out. */
const MAX_PATH = 1024

/** What is known of one request when it has ended; written then, if anyone wants it. */
export class AccessRecord {
  app: string | undefined
  status: number | undefined
  /** Why the application did not answer, as `ECONNREFUSED`. */
  failure: string | undefined

  constructor(exchange: Exchange, client: string, requestId: string, write: LogLine | undefined) {
    if (!write) return
    const startedMs = performance.now()
    const { method, headers, url } = exchange.request
    const host = headers.host
    exchange.ended.whenOver(() => {
      write(
        JSON.stringify({
          time: new Date().toISOString(),
          request_id: requestId,
          client,
          method,
          host,
          path: url?.split('?')[0]?.slice(0, MAX_PATH),
          app: this.app,
          status: this.status,
          failure: this.failure,
          duration_ms: Math.round(performance.now() - startedMs),
        }),
      )
    })
  }
}
