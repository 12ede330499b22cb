import type { HeldLock, Locks } from './lock.ts'

/** Locks in memory; every holder shares the one object, as processes share a machine. */
export class FakeLocks implements Locks {
  readonly #held = new Map<string, HeldLock>()

  async tryAcquire(path: string): Promise<HeldLock | undefined> {
    if (this.#held.has(path)) return undefined
    const lock = {
      release: async () => {
        if (this.#held.get(path) === lock) this.#held.delete(path)
      },
    }
    this.#held.set(path, lock)
    return lock
  }

  isHeld(path: string): boolean {
    return this.#held.has(path)
  }

  /** Every holder dies; its locks are free. */
  holdersDie(): void {
    this.#held.clear()
  }
}
