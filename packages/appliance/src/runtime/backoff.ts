import { MINUTE_MS, SECOND_MS } from '@caretaker/kernel/time.ts'

/** A service that ends this often within {@link CRASH_WINDOW_MS} is in a crash loop. The origin's limit was 3 in 5 min. */
export const CRASH_LIMIT = 5
export const CRASH_WINDOW_MS = 5 * MINUTE_MS
const FIRST_PAUSE_MS = 500
const LONGEST_PAUSE_MS = 30 * SECOND_MS

export type RestartDecision =
  | { readonly action: 'restart'; readonly afterMs: number; readonly because: string }
  | { readonly action: 'slow-restart'; readonly afterMs: number; readonly because: string }

/**
 * When to start a service again that has ended. `endedAtMs` are the monotonic times at which it ended, the newest
 * last. In a crash loop it is still tried, at the longest pause: what it waits for may come back.
 */
export function decideRestart(endedAtMs: readonly number[], nowMs: number): RestartDecision {
  const recent = endedAtMs.filter((at) => nowMs - at <= CRASH_WINDOW_MS).length
  // The first end in a while is most often a lone accident: no pause.
  const afterMs = recent <= 1 ? 0 : Math.min(FIRST_PAUSE_MS * 2 ** (recent - 2), LONGEST_PAUSE_MS)
  if (recent < CRASH_LIMIT)
    return {
      action: 'restart',
      afterMs,
      because: recent <= 1 ? 'ended' : `ended ${recent} times in 5 minutes`,
    }
  return {
    action: 'slow-restart',
    afterMs: LONGEST_PAUSE_MS,
    because: `ended ${recent} times in 5 minutes: a crash loop`,
  }
}
