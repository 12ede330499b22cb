/** The last work for each key. */
const last = new Map<string, Promise<unknown>>()

/**
 * Runs `work` when all work begun before for the same key has ended: who reads, changes and writes, beside others of this
 * process, loses nothing of what they write. Other processes are kept out by the lock of operations. Not from within work
 * for the same key.
 */
export async function inTurn<T>(key: string, work: () => Promise<T>): Promise<T> {
  const before = last.get(key)
  const turn = (async () => {
    await before?.catch(() => undefined)
    return work()
  })()
  last.set(key, turn)
  try {
    return await turn
  } finally {
    if (last.get(key) === turn) last.delete(key)
  }
}
