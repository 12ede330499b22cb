import { AppError, messageOf } from '@caretaker/kernel/errors.ts'
import type { Clock } from '@caretaker/ports/clock.ts'
import { writeJsonDurably } from '@caretaker/ports/durable.ts'
import type { Files } from '@caretaker/ports/files.ts'
import * as z from 'zod'
import type { StorageBackend, StorageIdentity } from './storage.ts'

/** File at the root of every data volume, whatever the back end: it carries the id of the appliance (spec S4). */
export const MARKER = 'caretaker.json'

/** A volume written by a newer version is not touched. */
const FORMAT = 1

const markerSchema = z.object({
  format: z.number().int(),
  appliance_id: z.string().min(1),
  created_at: z.string(),
  backend: z.string().default('directory'),
})

/** What a fresh file system or an interrupted {@link writeMarker} leaves; all else counts as content. */
const MEANINGLESS = new Set(['lost+found', `${MARKER}.tmp`])

/** Whose volume the folder `root` is, for this back end. Changes nothing and never throws: what cannot be read is `unreadable`. */
export async function readIdentity(
  files: Pick<Files, 'list' | 'readText' | 'stat'>,
  root: string,
  applianceId: string,
  backend: StorageBackend,
): Promise<StorageIdentity> {
  try {
    const entries = await files.list(root)
    if (!entries) {
      return (await files.stat(root))
        ? { state: 'unreadable', why: `${root} is not a folder` }
        : { state: 'absent', why: `there is no folder ${root}` }
    }
    const text = await files.readText(`${root}/${MARKER}`)
    if (text !== undefined) return judgeMarker(text, root, applianceId, backend)
    const content = entries.filter((entry) => !MEANINGLESS.has(entry.name))
    if (content.length === 0) return { state: 'empty', why: `the folder ${root} is empty` }
    return { state: 'foreign', why: `${root} holds "${content[0]?.name}" but no ${MARKER}` }
  } catch (error) {
    return { state: 'unreadable', why: messageOf(error) }
  }
}

function judgeMarker(
  text: string,
  root: string,
  applianceId: string,
  backend: StorageBackend,
): StorageIdentity {
  const marker = parseMarker(text)
  if (!marker) return { state: 'unreadable', why: `${root}/${MARKER} is damaged` }
  if (marker.format !== FORMAT) {
    return {
      state: 'unreadable',
      why: `${root} has the format ${marker.format}, this version knows ${FORMAT}`,
    }
  }
  if (marker.appliance_id === applianceId && marker.backend !== backend) {
    return {
      state: 'other-backend',
      applianceId,
      why: `${root} was made by the back end "${marker.backend}", the config says "${backend}", and nothing is converted`,
    }
  }
  if (marker.appliance_id === applianceId) return { state: 'ours', applianceId }
  return {
    state: 'foreign',
    applianceId: marker.appliance_id,
    why: `${root} belongs to the appliance ${marker.appliance_id}, this one is ${applianceId}`,
  }
}

function parseMarker(text: string): z.infer<typeof markerSchema> | undefined {
  try {
    return markerSchema.parse(JSON.parse(text))
  } catch {
    return undefined
  }
}

/** Makes the folder `root` the volume of this appliance, durably. */
export async function writeMarker(
  files: Pick<Files, 'write' | 'sync' | 'rename'>,
  clock: Pick<Clock, 'now'>,
  root: string,
  applianceId: string,
  backend: StorageBackend,
): Promise<void> {
  const created = clock.now().toISOString()
  const marker = { format: FORMAT, appliance_id: applianceId, created_at: created, backend }
  await writeJsonDurably(files, `${root}/${MARKER}`, marker, 0o644)
}

/** What to type when the volume was made by another back end. */
export const OTHER_BACKEND_NEXT =
  'Set caretaker.storage.backend back to what it was, or name another folder as caretaker.storage.data and recover from the backup there; then "caretaker up"'

/** The error for a volume that is not ours: the reason that the service page shows (spec S4). */
export function identityError(identity: StorageIdentity, root: string): AppError {
  const what = `The data volume ${root} cannot be used`
  const why = identity.why ?? identity.state
  switch (identity.state) {
    case 'absent':
      return new AppError('STORAGE_ABSENT', {
        what,
        why,
        next: 'Attach or mount the data volume, then run "caretaker up"',
      })
    case 'empty':
      return new AppError('STORAGE_EMPTY', {
        what,
        why,
        next: 'Mount the right data volume, then run "caretaker up"; if the data is lost, recover it from the backup',
      })
    case 'foreign':
      return new AppError('STORAGE_FOREIGN', {
        what,
        why,
        next: 'Mount the data volume of this appliance, or correct the data folder in the config; nothing was touched',
      })
    case 'ours':
      throw new Error(`${root} is ours: there is no error`)
    case 'other-backend':
      return new AppError('STORAGE_OTHER_BACKEND', { what, why, next: OTHER_BACKEND_NEXT })
    case 'unreadable':
      return new AppError('STORAGE_UNREADABLE', {
        what,
        why,
        next: 'Check the disk ("dmesg") and the permissions of the folder, then run "caretaker up"',
      })
  }
}
