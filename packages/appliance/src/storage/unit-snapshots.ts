import { AppError } from '@caretaker/kernel/errors.ts'
import * as z from 'zod'
import type { FoundSnapshot, Snapshot } from './storage.ts'
import { partial, snapshotFolder, type UnitContext, type UnitPaths, vanish } from './unit-layout.ts'

const recordSchema = z.object({
  format: z.literal(1),
  created_at: z.iso.datetime(),
  /** Missing where it is measured when it is listed. */
  size_bytes: z.number().optional(),
  /** Set when it is the state that a switch to that snapshot put aside. */
  put_aside_for: z.string().optional(),
  modes: z.record(z.string(), z.number()),
})

export type SnapshotRecord = z.infer<typeof recordSchema>

export const contentOf = (folder: string): string => `${folder}/content`
const recordOf = (folder: string): string => `${folder}/snapshot.json`

/**
 * Takes the snapshot `name` of the current generation. Unless the back end is instant, the caller has stopped writers.
 * Nothing of it stays when `signal` ends it.
 */
export async function takeSnapshot(
  context: UnitContext,
  paths: UnitPaths,
  generation: string,
  name: string,
  signal: AbortSignal,
): Promise<void> {
  const { files, trees } = context
  const folder = snapshotFolder(paths, name)
  if (await files.stat(folder)) throw snapshotExists(paths.app, name)
  const unfinished = partial(folder)
  await trees.remove(unfinished)
  try {
    await files.makeFolder(unfinished, 0o700)
    await trees.freeze(generation, contentOf(unfinished), signal)
    await completeSnapshot(context, paths, name)
  } catch (error) {
    await trees.remove(unfinished)
    throw error
  }
}

/**
 * Turns `NAME.partial`, whose content is whole, into the snapshot NAME. Safe to repeat: the modes are recorded
 * before they are changed.
 */
export async function completeSnapshot(
  { files, trees, records, clock }: UnitContext,
  paths: UnitPaths,
  name: string,
  putAsideFor?: string,
): Promise<void> {
  const folder = snapshotFolder(paths, name)
  const unfinished = partial(folder)
  const content = contentOf(unfinished)
  let record = parseRecord(await records.read(recordOf(unfinished)))
  if (!record) {
    record = {
      format: 1,
      created_at: clock.now().toISOString(),
      ...(trees.measured === 'when-taken' ? { size_bytes: await files.treeSize(content) } : {}),
      modes: { ...(await trees.modesOf(content)) },
      ...(putAsideFor === undefined ? {} : { put_aside_for: putAsideFor }),
    }
    await records.write(recordOf(unfinished), record)
  }
  await trees.seal(content, record.modes)
  await files.sync(unfinished)
  await files.rename(unfinished, folder)
  await files.sync(paths.snapshots)
}

/** A writable copy of a snapshot at `to`, which must not exist. */
export async function copyContent(
  context: Pick<UnitContext, 'files' | 'trees' | 'records'>,
  paths: UnitPaths,
  name: string,
  to: string,
  signal?: AbortSignal,
): Promise<void> {
  const record = await loadSnapshot(context, paths, name)
  await context.trees.thaw(contentOf(snapshotFolder(paths, name)), to, record.modes, signal)
}

/** @throws AppError SNAPSHOT_UNKNOWN, SNAPSHOT_DAMAGED */
export async function loadSnapshot(
  context: Pick<UnitContext, 'files' | 'records'>,
  paths: UnitPaths,
  name: string,
): Promise<SnapshotRecord> {
  const folder = snapshotFolder(paths, name)
  if (!(await context.files.stat(folder))) {
    throw new AppError('SNAPSHOT_UNKNOWN', {
      what: `There is no snapshot "${name}" of ${paths.app}`,
      why: `nothing lies at ${folder}`,
      next: `Choose one of those that "caretaker app show ${paths.app}" lists`,
    })
  }
  const record = await findSnapshot(context, paths, name)
  if (record) return record
  throw new AppError('SNAPSHOT_DAMAGED', {
    what: `The snapshot "${name}" of ${paths.app} cannot be used`,
    why: `${folder} is incomplete: its record or its content is missing`,
    next: 'Use another snapshot or the backup; this one can only be removed',
  })
}

/** The record of a snapshot that is there and complete, else undefined. */
export async function findSnapshot(
  { files, records }: Pick<UnitContext, 'files' | 'records'>,
  paths: UnitPaths,
  name: string,
): Promise<SnapshotRecord | undefined> {
  const folder = snapshotFolder(paths, name)
  const record = parseRecord(await records.read(recordOf(folder)))
  const content = await files.stat(contentOf(folder))
  return content?.kind === 'folder' ? record : undefined
}

export async function listSnapshots(context: UnitContext, paths: UnitPaths): Promise<readonly Snapshot[]> {
  const { files } = context
  const entries = ((await files.list(paths.snapshots)) ?? []).filter((entry) => !entry.name.includes('.'))
  const snapshots = await Promise.all(
    entries.map(async ({ name }): Promise<Snapshot> => {
      const record = await findSnapshot(context, paths, name)
      const sizeBytes = record
        ? (record.size_bytes ?? (await files.treeSize(contentOf(snapshotFolder(paths, name)))))
        : 0
      return { ...found(name, record), sizeBytes }
    }),
  )
  const age = (snapshot: Snapshot): number => snapshot.createdAt?.getTime() ?? Number.POSITIVE_INFINITY
  return snapshots.toSorted((a, b) => (age(a) === age(b) ? a.name.localeCompare(b.name) : age(a) - age(b)))
}

/** See `Storage.findSnapshot`. */
export async function lookUpSnapshot(
  context: UnitContext,
  paths: UnitPaths,
  name: string,
): Promise<FoundSnapshot | undefined> {
  if (!(await context.files.stat(snapshotFolder(paths, name)))) return undefined
  return found(name, await findSnapshot(context, paths, name))
}

const found = (name: string, record: SnapshotRecord | undefined): FoundSnapshot =>
  record
    ? { name, createdAt: new Date(record.created_at), state: 'complete' }
    : { name, createdAt: undefined, state: 'damaged' }

export async function removeSnapshot(context: UnitContext, paths: UnitPaths, name: string): Promise<void> {
  const folder = snapshotFolder(paths, name)
  if (!(await context.files.stat(paths.snapshots))) return
  await vanish(context, folder, recordOf(folder))
}

export function snapshotExists(app: string, name: string): AppError {
  return new AppError('SNAPSHOT_EXISTS', {
    what: `The snapshot "${name}" of ${app} was not taken`,
    why: 'there is one with this name',
    next: 'Choose another name, or remove the old snapshot first',
  })
}

function parseRecord(text: string | undefined): SnapshotRecord | undefined {
  if (text === undefined) return undefined
  try {
    return recordSchema.parse(JSON.parse(text))
  } catch {
    return undefined
  }
}
