import { describe, expect, it } from 'vitest'
import type { Clock } from '../clock.ts'

export interface ClockUnderTest {
  readonly clock: Clock
  /** Lets this much time pass for the clock. */
  readonly pass: (ms: number) => Promise<void>
}

/** What every implementation of {@link Clock} must do. */
export function describeClock(name: string, make: () => ClockUnderTest): void {
  describe(`clock: ${name}`, () => {
    it('wakes who waited, and both clocks have moved by then', async () => {
      const { clock, pass } = make()
      const [wallMs, monotonicMs] = [clock.now().getTime(), clock.monotonicMs()]
      let isAwake = false
      const waited = clock.wait(30).then(() => {
        isAwake = true
      })
      await pass(0)
      expect(isAwake).toBe(false)
      await Promise.all([pass(60), waited])
      expect(clock.monotonicMs() - monotonicMs).toBeGreaterThanOrEqual(29)
      expect(clock.now().getTime() - wallMs).toBeGreaterThanOrEqual(28)
    })

    it('wakes at once when the signal fires, and does not reject', async () => {
      const { clock } = make()
      const controller = new AbortController()
      const waited = clock.wait(1_000_000, controller.signal)
      controller.abort()
      await waited
      await clock.wait(1_000_000, controller.signal)
    })

    it('does not wait for no time at all', async () => {
      await make().clock.wait(0)
      await make().clock.wait(-5)
    })

    it('waits longer than a timer of Node can', async () => {
      const { clock, pass } = make()
      const controller = new AbortController()
      let isAwake = false
      const waited = clock.wait(2 ** 40, controller.signal).then(() => {
        isAwake = true
      })
      await pass(20)
      expect(isAwake).toBe(false)
      controller.abort()
      await waited
    })
  })
}
