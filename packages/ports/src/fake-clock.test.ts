import { expect, it } from 'vitest'
import { describeClock } from './conformance/clock.ts'
import { FakeClock } from './fake-clock.ts'

describeClock('fake', () => {
  const clock = new FakeClock()
  return { clock, pass: (ms) => clock.advance(ms) }
})

it('the fake clock can be set back without moving the monotonic one', async () => {
  const clock = new FakeClock('2026-03-29T00:30:00Z')
  await clock.advance(1000)
  clock.setWall('2026-03-28T00:00:00Z')
  expect(clock.now().toISOString()).toBe('2026-03-28T00:00:00.000Z')
  expect(clock.monotonicMs()).toBe(1000)
})
