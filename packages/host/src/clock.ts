import { setTimeout as sleep } from 'node:timers/promises'
import type { Clock } from '@caretaker/ports/clock.ts'

/** The longest time a timer of Node can hold: 2^31 - 1 ms; a longer one would fire at once. */
const LONGEST_TIMER_MS = 2_147_483_647

/** The clocks of this machine. The monotonic one counts from the start of this process. */
export function createClock(): Clock {
  return {
    now: () => new Date(),
    monotonicMs: () => performance.now(),
    wait: async (ms, signal) => {
      for (let leftMs = ms; leftMs > 0 && !signal?.aborted; leftMs -= LONGEST_TIMER_MS) {
        const timer = sleep(Math.min(leftMs, LONGEST_TIMER_MS), undefined, signal ? { signal } : {})
        await timer.catch(() => undefined)
      }
    },
  }
}
