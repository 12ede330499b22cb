import { setTimeout as pause } from 'node:timers/promises'
import type { Reply } from '../support/appliance.ts'

/** Somebody who goes on asking, and remembers every answer that was not 200. */
export interface Visitor extends AsyncDisposable {
  /** Asked so far. */
  readonly asked: number
  /** Answers that were not 200, and requests that had none. */
  readonly refused: readonly string[]
}

/** Asks one request after the other, until it is disposed. */
export function visitor(ask: () => Promise<Reply>): Visitor {
  const leaves = new AbortController()
  const refused: string[] = []
  let asked = 0
  const visiting = (async () => {
    while (!leaves.signal.aborted) {
      const said = await ask().then(
        ({ status }) => (status === 200 ? undefined : `status ${status}`),
        (error: unknown) => String(error),
      )
      asked += 1
      if (said !== undefined) refused.push(said)
      await pause(20)
    }
  })()
  return {
    get asked() {
      return asked
    },
    refused,
    async [Symbol.asyncDispose]() {
      leaves.abort()
      await visiting
    },
  }
}
