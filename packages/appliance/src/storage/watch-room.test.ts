import { FakeClock } from '@caretaker/ports/fake-clock.ts'
import { expect, test } from 'vitest'
import { judgeSpace } from './space.ts'
import { watchingRoom } from './watch-room.ts'

const lines = { warnPercent: 80, reservePercent: 10 }

function volume() {
  const clock = new FakeClock()
  const free = { bytes: 50 }
  const space = async () => judgeSpace({ totalBytes: 100, availableBytes: free.bytes }, lines)
  return { clock, free, watched: { clock, space, root: '/data' } }
}

const untilAborted = (signal: AbortSignal) =>
  new Promise<never>((_, reject) =>
    signal.addEventListener('abort', () => reject(new Error('cp was ended')), { once: true }),
  )

test('a copy that would go on into the reserve is ended, and the reason is the room', async () => {
  const { clock, free, watched } = volume()
  const copying = watchingRoom(watched, untilAborted)
  const refused = expect(copying).rejects.toMatchObject({ code: 'STORAGE_SPACE', exitCode: 75 })
  await clock.advance(1000)
  free.bytes = 9
  await clock.advance(1000)
  await refused
})

test('a copy for which there is room ends as it ends', async () => {
  const { watched } = volume()
  expect(await watchingRoom(watched, async (signal) => signal.aborted)).toBe(false)
  await expect(watchingRoom(watched, () => Promise.reject(new Error('broken')))).rejects.toThrow('broken')
})
