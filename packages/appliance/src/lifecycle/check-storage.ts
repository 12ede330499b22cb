import { AppError, toAppError } from '@caretaker/kernel/errors.ts'
import { OTHER_BACKEND_NEXT } from '../storage/identity.ts'
import type { StorageIdentity } from '../storage/storage.ts'
import type { Appliance } from './appliance.ts'
import { readFacts } from './facts.ts'

/** While the data is missing or not ours, nothing may run on what is in its place. */
export const DATA_LOST: ReadonlySet<string> = new Set([
  'STORAGE_ABSENT',
  'STORAGE_EMPTY',
  'STORAGE_FOREIGN',
  'STORAGE_OTHER_BACKEND',
  'STORAGE_NEEDS_ROOT',
  'STORAGE_FILE_SYSTEM',
  'STORAGE_UNREADABLE',
  'RECOVERY_NOT_IN_THIS_VERSION',
])

/**
 * What the data volume is, unless it may not be used (spec S4): a lost, emptied or foreign data volume is never
 * taken for a beginning.
 * @throws AppError STORAGE_ABSENT, STORAGE_EMPTY, STORAGE_FOREIGN, STORAGE_OTHER_BACKEND, STORAGE_UNREADABLE, and those of
 * `Storage.assertUsable`
 */
export async function assertStorage(appliance: Appliance, firstStart: boolean): Promise<StorageIdentity> {
  const { folders, config, storage } = appliance
  const identity = await storage.identify(config.id)
  const what = 'The data volume is not used and nothing is started'
  const why = identity.why ?? ''
  switch (identity.state) {
    case 'ours':
      await storage.assertUsable()
      return identity
    case 'absent':
      await storage.assertUsable()
      if (firstStart) return identity
      throw new AppError('STORAGE_ABSENT', {
        what,
        why: `${why}; this appliance has been started before, so its data must be somewhere`,
        next: `Attach or mount the data volume at ${folders.data}, then "caretaker up"; if the data is lost, bring it back from a backup`,
      })
    case 'empty':
      await storage.assertUsable()
      if (firstStart) return identity
      throw new AppError('STORAGE_EMPTY', {
        what,
        why: `${why}; this appliance has been started before, so its data is missing`,
        next: `Put the data back to ${folders.data}, then "caretaker up"; to begin with nothing on purpose: "caretaker up --first-start"`,
      })
    case 'foreign':
      throw new AppError('STORAGE_FOREIGN', {
        what,
        why,
        next: `Attach the data volume of appliance ${config.id}, or name another folder as caretaker.storage.data in the config, then "caretaker up"`,
      })
    case 'other-backend':
      throw new AppError('STORAGE_OTHER_BACKEND', { what, why, next: OTHER_BACKEND_NEXT })
    case 'unreadable':
      throw new AppError('STORAGE_UNREADABLE', {
        what,
        why,
        next: `Look at the disk ("dmesg") and at the permissions of ${folders.data}, then "caretaker up"`,
      })
  }
}

/**
 * Why the data volume of an appliance that was started before may not be used now: it can go away while applications run.
 * Undefined when all is well, or a person wants nothing up.
 */
export async function lostStorage(appliance: Appliance): Promise<AppError | undefined> {
  const { startedBefore, wanted } = await readFacts(appliance.ports.files, appliance.stateFolder)
  if (!startedBefore || wanted === 'down') return undefined
  try {
    await assertStorage(appliance, false)
    return undefined
  } catch (error) {
    const reported = toAppError(error)
    return DATA_LOST.has(reported.code) ? reported : undefined
  }
}
