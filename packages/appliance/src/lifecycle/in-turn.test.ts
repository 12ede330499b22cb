import { expect, it } from 'vitest'
import { inTurn } from './in-turn.ts'

it('what is read, changed and written by many at once is counted once each, also after one that fails', async () => {
  let stored = 0
  const add = (isLast = false) =>
    inTurn('count', async () => {
      const read = stored
      await Promise.resolve()
      stored = read + 1
      if (isLast) throw new Error('it was the last')
    })
  const failing = add(true)
  const all = [add(), add(), add()]
  await expect(failing).rejects.toThrow('it was the last')
  await Promise.all(all)
  expect(stored).toBe(4)
})

it('work for another key does not wait', async () => {
  const { promise, resolve } = Promise.withResolvers<void>()
  const waiting = inTurn('a', () => promise)
  expect(await inTurn('b', async () => 1)).toBe(1)
  resolve()
  await waiting
})
