import { setTimeout as pause } from 'node:timers/promises'

/** Requests that nobody waits for before asking the next one. */
export interface ConstantLoad {
  /** Ends it when all that was asked is answered; tells how many that were, and what was not answered with 200. */
  stop(): Promise<{ readonly asked: number; readonly failed: readonly string[] }>
}

/** More requests than this are not under way at once: a machine that is too slow for the rate gets less. */
const MOST_UNDER_WAY = 200

/** Asks at a constant rate until it is stopped. */
export function constantLoad(
  perSecond: number,
  ask: () => Promise<{ readonly status: number }>,
): ConstantLoad {
  const failed: string[] = []
  const underWay = new Set<Promise<void>>()
  let asked = 0
  let isOver = false
  const begin = () => {
    const one = ask()
      .then(({ status }) => void (status === 200 || failed.push(String(status))))
      .catch((error: unknown) => void failed.push(String(error)))
    underWay.add(one)
    void one.finally(() => underWay.delete(one))
  }
  const asking = (async () => {
    const startedMs = performance.now()
    while (!isOver) {
      const due = ((performance.now() - startedMs) * perSecond) / 1000
      for (; asked < due && underWay.size < MOST_UNDER_WAY; asked += 1) begin()
      await pause(5)
    }
  })()
  return {
    async stop() {
      isOver = true
      await asking
      await Promise.all(underWay)
      return { asked, failed }
    },
  }
}
