import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Locks } from '../lock.ts'

export interface LocksUnderTest {
  readonly locks: Locks
  /** An existing folder. */
  readonly folder: string
  cleanUp?(): Promise<void>
}

/** What every implementation of {@link Locks} must do. */
export function describeLocks(name: string, make: () => Promise<LocksUnderTest>): void {
  describe(`locks: ${name}`, () => {
    let world: LocksUnderTest
    beforeEach(async () => {
      world = await make()
    })
    afterEach(() => world.cleanUp?.())

    it('has one holder at a time', async () => {
      const path = `${world.folder}/lock`
      const first = await world.locks.tryAcquire(path)
      expect(first).toBeDefined()
      expect(await world.locks.tryAcquire(path)).toBeUndefined()
      await first?.release()
      const second = await world.locks.tryAcquire(path)
      expect(second).toBeDefined()
      expect(await world.locks.tryAcquire(path)).toBeUndefined()
      await second?.release()
    })

    it('lets one of several win that ask at once', async () => {
      const path = `${world.folder}/lock`
      const held = await Promise.all([1, 2, 3].map(() => world.locks.tryAcquire(path)))
      expect(held.filter((lock) => lock !== undefined)).toHaveLength(1)
      for (const lock of held) await lock?.release()
    })

    it('is not released again by a holder that released it before', async () => {
      const path = `${world.folder}/lock`
      const first = await world.locks.tryAcquire(path)
      await first?.release()
      const second = await world.locks.tryAcquire(path)
      await first?.release()
      expect(await world.locks.tryAcquire(path)).toBeUndefined()
      await second?.release()
    })

    it('keeps locks at different paths apart', async () => {
      const one = await world.locks.tryAcquire(`${world.folder}/one`)
      const two = await world.locks.tryAcquire(`${world.folder}/two`)
      expect(one && two).toBeDefined()
      await one?.release()
      await two?.release()
    })
  })
}
