import { switchLink } from '@caretaker/ports/durable.ts'
import * as z from 'zod'
import { nextGeneration, partial, snapshotFolder, type UnitContext, type UnitPaths } from './unit-layout.ts'
import {
  completeSnapshot,
  contentOf,
  copyContent,
  findSnapshot,
  loadSnapshot,
  snapshotExists,
} from './unit-snapshots.ts'

/** Written before the first change of a switch and removed after its last: what an interrupted one is told from. */
const recordSchema = z.object({
  snapshot: z.string(),
  keep_as: z.string(),
  /** The generation that was current. */
  from: z.string(),
  /** The copy that becomes current. */
  to: z.string(),
})

export type SwitchRecord = z.infer<typeof recordSchema>

/** See `Storage.switchTo`. The moment it takes effect is the rename of the link `current`. */
export async function switchTo(
  context: UnitContext,
  paths: UnitPaths,
  snapshot: string,
  keepAs: string,
): Promise<void> {
  const { files, records } = context
  await files.remove(paths.room)
  await settleSwitch(context, paths)
  const kept = await findSnapshot(context, paths, keepAs)
  if (kept?.put_aside_for === snapshot) return
  if (await files.stat(snapshotFolder(paths, keepAs))) throw snapshotExists(paths.app, keepAs)
  await loadSnapshot(context, paths, snapshot)

  const from = await files.readLink(paths.current)
  if (from === undefined) throw new Error(`${paths.current} is not a link`)
  const names = ((await files.list(paths.unit)) ?? []).map((entry) => entry.name)
  const record: SwitchRecord = { snapshot, keep_as: keepAs, from, to: nextGeneration(names) }
  await records.write(paths.switchRecord, record)
  try {
    await copyContent(context, paths, snapshot, `${paths.unit}/${record.to}`)
    await files.sync(paths.unit)
    await switchLink(files, record.to, paths.current)
  } catch (error) {
    await settleSwitch(context, paths)
    throw error
  }
  await putAside(context, paths, record)
}

/** Finishes a switch that had taken effect, takes back one that had not; nothing when none is under way. */
export async function settleSwitch(context: UnitContext, paths: UnitPaths): Promise<void> {
  const record = await readSwitch(context, paths)
  if (record && (await tookEffect(context, paths, record))) await putAside(context, paths, record)
  else await takeBack(context, paths, record)
}

export async function readSwitch(
  { records }: Pick<UnitContext, 'records'>,
  paths: UnitPaths,
): Promise<SwitchRecord | undefined> {
  const text = await records.read(paths.switchRecord)
  return text === undefined ? undefined : recordSchema.parse(JSON.parse(text))
}

export async function tookEffect(
  { files }: Pick<UnitContext, 'files'>,
  paths: UnitPaths,
  record: SwitchRecord,
): Promise<boolean> {
  return (await files.readLink(paths.current)) === record.to
}

/** The state that was current becomes the snapshot `keep_as`. Until then `keep_as.partial` may hold its only copy. */
async function putAside(context: UnitContext, paths: UnitPaths, record: SwitchRecord): Promise<void> {
  const { files } = context
  const folder = snapshotFolder(paths, record.keep_as)
  const unfinished = partial(folder)
  const old = `${paths.unit}/${record.from}`
  if (!(await files.stat(folder))) {
    if (await files.stat(old)) {
      await files.makeFolder(unfinished, 0o700)
      await files.rename(old, contentOf(unfinished))
      await files.sync(unfinished)
      await files.sync(paths.unit)
    }
    await completeSnapshot(context, paths, record.keep_as, record.snapshot)
  }
  await files.remove(paths.switchRecord)
  await files.sync(paths.unit)
}

async function takeBack(
  { files, trees }: UnitContext,
  paths: UnitPaths,
  record: SwitchRecord | undefined,
): Promise<void> {
  if (record) await trees.remove(`${paths.unit}/${record.to}`)
  for (const path of [`${paths.current}.tmp`, `${paths.switchRecord}.tmp`, paths.switchRecord]) {
    await files.remove(path)
  }
  await files.sync(paths.unit)
}
