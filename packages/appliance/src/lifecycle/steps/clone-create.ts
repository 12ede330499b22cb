import { AppError } from '@caretaker/kernel/errors.ts'
import { HOUR_MS } from '@caretaker/kernel/time.ts'
import { defineStep } from '@caretaker/steps/step.ts'
import type { CloneRecord } from '../../config/clone.ts'
import type { PinnedSource } from '../../release/release.ts'
import { readAppRecord, updateAppRecord } from '../app-records.ts'
import type { Appliance } from '../appliance.ts'
import { readClone, writeClone } from '../clone-records.ts'
import { copyData } from '../copy-data.ts'
import { assertIsolation } from '../isolation.ts'
import { removeClone } from '../remove-clone.ts'

export type CloneInput = {
  /** The origin. */
  readonly app: string
  readonly clone: string
  /** The release of the origin that it runs. */
  readonly releaseId: string
  /** A {@link PinnedSource}. */
  readonly pinned: never
  readonly hosts: readonly string[]
  /** ISO 8601 instant. */
  readonly expiresAt: string
  readonly allowOutside: boolean
  readonly why: CloneRecord['why']
}

/** Copies the data of an application for a clone of it; nothing of the clone runs yet. */
export const cloneCreate = (appliance: Appliance) =>
  defineStep<CloneInput, null>({
    kind: 'clone.create',
    describe: ({ app, clone }) =>
      appliance.storage.instant
        ? `Copy database and files of ${app}, as they are at one instant, for the clone ${clone}`
        : `Copy database and files of ${app} for the clone ${clone} while it serves: the database as of one instant, files while they may change`,
    async check({ clone }) {
      const record = await readClone(appliance.ports.files, appliance.stateFolder, clone)
      const isCopied = record?.state === 'copied' || record?.state === 'ready'
      return isCopied && (await appliance.storage.hasUnit(clone))
        ? { state: 'done' }
        : { state: 'needed', before: null }
    },
    async apply(input, _before, { signal }) {
      const { app, clone, allowOutside } = input
      const { ports, folders, stateFolder } = appliance
      const { files } = ports
      const present = await readClone(files, stateFolder, clone)
      await assertUnknown(appliance, clone, present)
      await assertIsolation(appliance, clone, allowOutside)
      const record = recordOf(input, present?.createdAt ?? ports.clock.now().toISOString())
      await writeClone(appliance, record)
      await copyData(appliance, app, clone, signal)
      // From now on an absent database of the clone is a loss, as with its origin.
      const { databaseCreated } = await readAppRecord(files, folders.apps, app)
      await updateAppRecord(files, folders.apps, clone, { databaseCreated })
      await writeClone(appliance, { ...record, state: 'copied' })
    },
    undo: async ({ clone }) => removeClone(appliance, clone),
    timeoutMs: 6 * HOUR_MS,
  })

/** The record of a clone that is being made. */
export function recordOf(input: CloneInput, createdAt: string): CloneRecord {
  const { app, clone, releaseId, pinned, hosts, expiresAt, allowOutside, why } = input
  return {
    name: clone,
    app,
    releaseId,
    pinned: pinned as PinnedSource,
    createdAt,
    expiresAt,
    hosts,
    allowOutside,
    why,
    state: 'making',
    scrubbed: false,
    rebuilt: false,
  }
}

/** What lies there under the name of a clone that nobody has begun is somebody's data. */
async function assertUnknown(
  { storage, config }: Appliance,
  clone: string,
  present: CloneRecord | undefined,
): Promise<void> {
  const isOther = !present && ((await storage.hasUnit(clone)) || config.applications[clone] !== undefined)
  if (!isOther && present?.state !== 'ready') return
  throw new AppError('APP_EXISTS', {
    what: `The clone ${clone} was not made`,
    why: 'there is an application, a clone or data of this name',
    next: 'Choose another name',
  })
}
