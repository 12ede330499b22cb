import type { Clock } from './clock.ts'

/**
 * Polls until `probe` gives a value or the deadline passes; undefined at the deadline or when `signal` fires.
 * Waits `intervalMs` between two probes, growing by half each time up to one second.
 */
export async function waitUntil<T>(
  clock: Clock,
  options: { readonly timeoutMs: number; readonly intervalMs?: number; readonly signal?: AbortSignal },
  probe: () => Promise<T | undefined>,
): Promise<T | undefined> {
  const deadline = clock.monotonicMs() + options.timeoutMs
  let pauseMs = options.intervalMs ?? 25
  for (;;) {
    const value = await probe()
    if (value !== undefined) return value
    if (options.signal?.aborted || clock.monotonicMs() >= deadline) return undefined
    await clock.wait(Math.min(pauseMs, deadline - clock.monotonicMs()), options.signal)
    pauseMs = Math.min(pauseMs * 1.5, 1000)
  }
}
