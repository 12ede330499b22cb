import { dirname } from 'node:path'
import { AppError } from '@caretaker/kernel/errors.ts'
import { isName } from '@caretaker/kernel/ids.ts'
import type { Clock } from '@caretaker/ports/clock.ts'
import { writeJsonDurably } from '@caretaker/ports/durable.ts'
import type { Files, Owner } from '@caretaker/ports/files.ts'
import * as z from 'zod'
import { identityError, readIdentity, writeMarker } from './identity.ts'
import type { Records } from './records.ts'
import { assertRoom, type SpaceLines } from './space.ts'
import type { Storage } from './storage.ts'
import type { Trees } from './trees.ts'
import {
  partial,
  pathsInside,
  snapshotFolder,
  type UnitContext,
  type UnitPaths,
  unitPaths,
  unitsFolder,
  vanish,
} from './unit-layout.ts'
import { findLeftovers, repairLeftovers } from './unit-repair.ts'
import { holdRoom, releaseRoom } from './unit-room.ts'
import {
  contentOf,
  copyContent,
  listSnapshots,
  loadSnapshot,
  lookUpSnapshot,
  removeSnapshot,
  takeSnapshot,
} from './unit-snapshots.ts'
import { switchTo } from './unit-switch.ts'
import { watchingRoom } from './watch-room.ts'

/** What every back end is told. */
export interface StorageOptions extends SpaceLines {
  readonly files: Files
  readonly clock: Pick<Clock, 'now' | 'wait'>
  /** Absolute path of the data folder. */
  readonly root: string
  /** The service user, to whom units belong. Given when we run as root. */
  readonly owner?: Owner
}

/** What a back end brings to the units that all have in common. */
export interface UnitBackend extends Pick<Storage, 'backend' | 'instant' | 'assertUsable' | 'space'> {
  readonly trees: Trees
  readonly records: Records
  /** See {@link Storage.copyBytes}; `generation` is the current tree. */
  copyBytes(generation: string): Promise<number>
}

const unitRecordSchema = z.object({
  created_at: z.string(),
  copy_of: z.object({ app: z.string(), snapshot: z.string() }).optional(),
})

/** Service users pass through, but see no names. */
const PASSABLE = 0o711

/** Units, snapshots and switches as all back ends have them; they differ in their trees. Layout: see `unit-layout.ts`. */
export function createUnitStorage(options: StorageOptions, own: UnitBackend): Storage {
  const { files, clock, root } = options
  const { backend, instant, trees, records } = own
  const context: UnitContext = { files, trees, records, clock, root }
  const units = unitsFolder(root)
  const watched = { clock, root, space: () => own.space() }
  // What takes no time takes no room.
  const copying = <T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> =>
    instant ? work(new AbortController().signal) : watchingRoom(watched, work)
  const isUnit = async (paths: UnitPaths) => (await files.readLink(paths.current)) !== undefined

  const existing = async (app: string): Promise<UnitPaths> => {
    const paths = unitPaths(root, app)
    if (await isUnit(paths)) return paths
    throw new AppError('UNIT_UNKNOWN', {
      what: `The data of ${app} cannot be used`,
      why: `there is no ${paths.current}`,
      next: `Run "caretaker doctor"; if the data is lost, recover ${app} from the backup`,
    })
  }

  const listUnits = async (): Promise<readonly string[]> =>
    ((await files.list(units)) ?? [])
      .filter((entry) => entry.kind === 'folder' && isName(entry.name))
      .map((entry) => entry.name)

  return {
    backend,
    instant,
    assertUsable: () => own.assertUsable(),

    identify: (applianceId) => readIdentity(files, root, applianceId, backend),

    async initialise(applianceId) {
      const identity = await readIdentity(files, root, applianceId, backend)
      if (identity.state === 'ours') return
      await own.assertUsable()
      if (identity.state !== 'absent' && identity.state !== 'empty') throw identityError(identity, root)
      await files.makeFolder(root, PASSABLE)
      await files.setMode(root, PASSABLE)
      await files.sync(dirname(root))
      await writeMarker(files, clock, root, applianceId, backend)
    },

    listUnits,
    hasUnit: (app) => isUnit(unitPaths(root, app)),
    unitPath: (app) => unitPaths(root, app).current,

    async createUnit(app) {
      const paths = unitPaths(root, app)
      if (await isUnit(paths)) return
      await buildUnit(context, paths, {}, async (generation) => {
        await trees.create(generation)
        await files.makeFolder(`${generation}/files`, 0o700)
        if (options.owner) await files.setOwner(generation, options.owner)
        await files.sync(generation)
      })
    },

    async removeUnit(app) {
      const paths = unitPaths(root, app)
      if (await files.stat(units)) await vanish(context, paths.unit, paths.current)
    },

    copyBytes: async (app) => own.copyBytes(await generationOf(context, await existing(app))),

    async snapshot(app, name) {
      const paths = await existing(app)
      const generation = await generationOf(context, paths)
      await copying((signal) => takeSnapshot(context, paths, generation, name, signal))
    },
    listSnapshots: async (app) => listSnapshots(context, unitPaths(root, app)),
    findSnapshot: async (app, name) => lookUpSnapshot(context, unitPaths(root, app), name),
    async snapshotPath(app, name) {
      const paths = await existing(app)
      await loadSnapshot(context, paths, name)
      return contentOf(snapshotFolder(paths, name))
    },
    removeSnapshot: async (app, name) => removeSnapshot(context, unitPaths(root, app), name),
    switchTo: async (app, snapshot, keepAs) => switchTo(context, await existing(app), snapshot, keepAs),
    async holdRoom(app) {
      const paths = await existing(app)
      await holdRoom(context, paths, await own.copyBytes(await generationOf(context, paths)))
    },
    holdsRoom: async (app) => (await files.stat(unitPaths(root, app).room)) !== undefined,
    releaseRoom: async (app) => releaseRoom(context, unitPaths(root, app)),

    async writableCopy(app, snapshot, newUnit) {
      const source = await existing(app)
      const target = unitPaths(root, newUnit)
      if (await isUnit(target)) {
        if (await isCopyOf(files, target, app, snapshot)) return
        throw unitExists(`The snapshot "${snapshot}" of ${app} was not copied to ${newUnit}`, newUnit)
      }
      await loadSnapshot(context, source, snapshot)
      await buildUnit(context, target, { copy_of: { app, snapshot } }, (generation) =>
        copying((signal) => copyContent(context, source, snapshot, generation, signal)),
      )
    },

    async liveCopy(app, newUnit, fill) {
      const source = await existing(app)
      const target = unitPaths(root, newUnit)
      if (await isUnit(target)) throw unitExists(`The data of ${app} was not copied to ${newUnit}`, newUnit)
      await buildUnit(context, target, {}, async (generation) => {
        await trees.create(generation)
        if (options.owner) await files.setOwner(generation, options.owner)
        await copying((signal) => fill(source.current, generation, signal))
        await files.sync(generation)
      })
    },

    leftovers: async () => findLeftovers(context, await listUnits()),
    async repair() {
      const leftovers = await findLeftovers(context, await listUnits())
      await repairLeftovers(context, leftovers)
      return leftovers
    },

    space: () => own.space(),
    reserve: async (bytes) => assertRoom(await own.space(), bytes, root),
  }
}

/** Makes a unit under another name and renames it when it is whole. `fill` makes its first generation. */
async function buildUnit(
  { files, trees, clock, root }: UnitContext,
  paths: UnitPaths,
  record: Omit<z.infer<typeof unitRecordSchema>, 'created_at'>,
  fill: (generation: string) => Promise<void>,
): Promise<void> {
  const units = unitsFolder(root)
  const unfinished = pathsInside(partial(paths.unit), paths.app)
  await files.makeFolder(units, PASSABLE)
  await files.setMode(units, PASSABLE)
  await trees.remove(unfinished.unit)
  try {
    await files.makeFolder(unfinished.unit, PASSABLE)
    await files.setMode(unfinished.unit, PASSABLE)
    await files.makeFolder(unfinished.snapshots, 0o700)
    await fill(`${unfinished.unit}/gen-1`)
    await files.link('gen-1', unfinished.current)
    await writeJsonDurably(files, unfinished.record, { created_at: clock.now().toISOString(), ...record })
    await files.rename(unfinished.unit, paths.unit)
  } catch (error) {
    await trees.remove(unfinished.unit)
    throw error
  }
  await files.sync(units)
  await files.sync(root)
}

function unitExists(what: string, unit: string): AppError {
  return new AppError('UNIT_EXISTS', {
    what,
    why: `there is data of the name ${unit}`,
    next: 'Choose another name',
  })
}

async function generationOf({ files }: UnitContext, paths: UnitPaths): Promise<string> {
  return `${paths.unit}/${await files.readLink(paths.current)}`
}

async function isCopyOf(
  files: Pick<Files, 'readText'>,
  paths: UnitPaths,
  app: string,
  snapshot: string,
): Promise<boolean> {
  const text = await files.readText(paths.record)
  if (text === undefined) return false
  const { copy_of } = unitRecordSchema.parse(JSON.parse(text))
  return copy_of?.app === app && copy_of.snapshot === snapshot
}
