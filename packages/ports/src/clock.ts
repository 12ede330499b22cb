/** Wall clock, monotonic clock and waiting. */
export interface Clock {
  now(): Date
  /** Milliseconds that never jump; for durations and deadlines. */
  monotonicMs(): number
  /** Resolves after `ms`, or at once when `signal` fires (it does not reject). */
  wait(ms: number, signal?: AbortSignal): Promise<void>
}
