import { dirname } from 'node:path'
import type { Clock } from '@caretaker/ports/clock.ts'
import type { Files } from '@caretaker/ports/files.ts'
import { checkedName } from './checked-name.ts'
import type { Records } from './records.ts'
import type { Trees } from './trees.ts'

/** What the calls of a back end share. */
export interface UnitContext {
  readonly files: Files
  readonly trees: Trees
  readonly records: Records
  readonly clock: Pick<Clock, 'now'>
  /** The data volume. */
  readonly root: string
}

/**
 * Layout, with trees ({@link Trees}) at `gen-N` and `content`:
 *
 *     ROOT/caretaker.json                          marker
 *     ROOT/units/APP/current -> gen-N              what is in force; switched by one rename
 *     ROOT/units/APP/gen-N/{postgres,files/VOLUME}
 *     ROOT/units/APP/unit.json                     since when, and of what it is a copy
 *     ROOT/units/APP/switch.json                   only while a switch is under way
 *     ROOT/units/APP/room                          zeros: the room that a switch will take, held until then
 *     ROOT/units/APP/snapshots/NAME/snapshot.json  its presence says that the content is complete
 *     ROOT/units/APP/snapshots/NAME/content/…
 *
 * `X.partial` is an X that is not finished, `X.removing` one that counts as removed; neither is a name.
 */
export interface UnitPaths {
  readonly app: string
  readonly unit: string
  readonly current: string
  readonly record: string
  readonly switchRecord: string
  readonly room: string
  readonly snapshots: string
}

/** @throws AppError NAME_INVALID */
export function unitPaths(root: string, app: string): UnitPaths {
  return pathsInside(`${unitsFolder(root)}/${checkedName('application', app)}`, app)
}

/** The same paths in a unit that is still being made under another name. */
export function pathsInside(unit: string, app: string): UnitPaths {
  return {
    app,
    unit,
    current: `${unit}/current`,
    record: `${unit}/unit.json`,
    switchRecord: `${unit}/switch.json`,
    room: `${unit}/room`,
    snapshots: `${unit}/snapshots`,
  }
}

export function unitsFolder(root: string): string {
  return `${root}/units`
}

/** Folder of a snapshot. @throws AppError NAME_INVALID */
export function snapshotFolder(paths: UnitPaths, name: string): string {
  return `${paths.snapshots}/${checkedName('snapshot', name)}`
}

export const partial = (path: string): string => `${path}.partial`
export const removing = (path: string): string => `${path}.removing`

/** The next free generation, as `gen-3`. */
export function nextGeneration(names: readonly string[]): string {
  const numbers = names.map((name) => Number(/^gen-(\d+)$/.exec(name)?.[1] ?? 0))
  return `gen-${Math.max(0, ...numbers) + 1}`
}

/**
 * Removes what lies at `path` so that a reader never meets half of it: first the name, then the content. On a disk too
 * full for another name `mark` goes first, the file that makes it whole: removing must be possible then.
 */
export async function vanish(
  { files, trees }: Pick<UnitContext, 'files' | 'trees'>,
  path: string,
  mark: string,
): Promise<void> {
  const folder = dirname(path)
  const doomed = removing(path)
  await trees.remove(doomed)
  if (await files.stat(path)) {
    try {
      await files.rename(path, doomed)
      await files.sync(folder)
      await trees.remove(doomed)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
      await files.remove(mark)
      await trees.remove(path)
      await trees.remove(doomed)
    }
  }
  await files.sync(folder)
}
