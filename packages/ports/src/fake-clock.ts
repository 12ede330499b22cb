import type { Clock } from './clock.ts'

/** A clock that stands still until a test moves it. */
export class FakeClock implements Clock {
  #wallMs: number
  #monotonicMs = 0
  #waiters: { readonly atMs: number; readonly wake: () => void }[] = []

  constructor(start = '2026-01-01T00:00:00Z') {
    this.#wallMs = Date.parse(start)
  }

  now(): Date {
    return new Date(this.#wallMs)
  }

  monotonicMs(): number {
    return this.#monotonicMs
  }

  wait(ms: number, signal?: AbortSignal): Promise<void> {
    if (ms <= 0 || signal?.aborted) return Promise.resolve()
    return new Promise((resolve) => {
      const waiter = { atMs: this.#monotonicMs + ms, wake: resolve }
      this.#waiters.push(waiter)
      signal?.addEventListener('abort', () => {
        this.#waiters = this.#waiters.filter((entry) => entry !== waiter)
        resolve()
      })
    })
  }

  /** Moves both clocks and wakes who waited, in order; each wake-up may start new waits, which count too. */
  async advance(ms: number): Promise<void> {
    const targetMs = this.#monotonicMs + ms
    for (;;) {
      const due = this.#waiters
        .filter((entry) => entry.atMs <= targetMs)
        .toSorted((a, b) => a.atMs - b.atMs)[0]
      if (!due) break
      this.#move(due.atMs - this.#monotonicMs)
      this.#waiters = this.#waiters.filter((entry) => entry !== due)
      due.wake()
      await new Promise((resolve) => setImmediate(resolve))
    }
    this.#move(targetMs - this.#monotonicMs)
  }

  /** Sets the wall clock alone, as an operator or NTP does. */
  setWall(at: string): void {
    this.#wallMs = Date.parse(at)
  }

  #move(ms: number): void {
    this.#monotonicMs += ms
    this.#wallMs += ms
  }
}
