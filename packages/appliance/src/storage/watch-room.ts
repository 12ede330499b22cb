import type { Clock } from '@caretaker/ports/clock.ts'
import { assertRoom } from './space.ts'
import type { StorageSpace } from './storage.ts'

/** A copy writes at most a few hundred megabytes between two looks. */
const LOOK_EVERY_MS = 100

/** The volume on which a copy is made. */
export interface WatchedVolume {
  readonly clock: Pick<Clock, 'wait'>
  readonly root: string
  readonly space: () => Promise<StorageSpace>
}

/**
 * Does `work` and ends it, by its signal, when less than the reserve stays free meanwhile, whoever took it: what was
 * asked before a copy is no promise for data that grows while it is made.
 * @throws AppError STORAGE_SPACE when it was ended; else what `work` throws
 */
export async function watchingRoom<T>(
  { clock, root, space }: WatchedVolume,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const [ended, short] = [new AbortController(), new AbortController()]
  let why: unknown
  const watch = async () => {
    while (!ended.signal.aborted) {
      assertRoom(await space(), 0, root)
      await clock.wait(LOOK_EVERY_MS, ended.signal)
    }
  }
  const watching = watch().catch((error: unknown) => {
    why = error
    short.abort(error)
  })
  try {
    return await work(short.signal)
  } catch (error) {
    throw why ?? error
  } finally {
    ended.abort()
    await watching
  }
}
