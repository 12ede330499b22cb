import { expect, it } from 'vitest'
import { CRASH_LIMIT, CRASH_WINDOW_MS, decideRestart } from './backoff.ts'

const ends = (count: number) => Array.from({ length: count }, (_, index) => index)

it('starts again at once what ended once, then waits longer each time, then names a crash loop', () => {
  const pauses = [1, 2, 3, 4].map((count) => decideRestart(ends(count), 10))
  expect(pauses.map(({ action, afterMs }) => [action, afterMs])).toEqual([
    ['restart', 0],
    ['restart', 500],
    ['restart', 1000],
    ['restart', 2000],
  ])
  const loop = decideRestart(ends(CRASH_LIMIT), 10)
  expect(loop).toEqual({
    action: 'slow-restart',
    afterMs: 30_000,
    because: 'ended 5 times in 5 minutes: a crash loop',
  })
  expect(decideRestart(ends(50), 100).afterMs).toBe(30_000)
})

it('forgets ends that are older than five minutes', () => {
  const old = [0, 1, 2, 3]
  expect(decideRestart([...old, CRASH_WINDOW_MS + 100], CRASH_WINDOW_MS + 100)).toMatchObject({
    action: 'restart',
    afterMs: 0,
    because: 'ended',
  })
  expect(decideRestart([...old, CRASH_WINDOW_MS], CRASH_WINDOW_MS).action).toBe('slow-restart')
})
