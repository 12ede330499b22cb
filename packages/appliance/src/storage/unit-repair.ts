import type { Leftover } from './storage.ts'
import {
  partial,
  removing,
  snapshotFolder,
  type UnitContext,
  type UnitPaths,
  unitPaths,
  unitsFolder,
} from './unit-layout.ts'
import { readSwitch, settleSwitch, tookEffect } from './unit-switch.ts'

/** Everything an interrupted call can have left, in the order in which it has to be dealt with. */
export async function findLeftovers(
  context: UnitContext,
  apps: readonly string[],
): Promise<readonly Leftover[]> {
  const inUnits = await unfinishedIn(context, unitsFolder(context.root), 'unfinished-unit')
  const perUnit = await Promise.all(apps.map((app) => inUnit(context, unitPaths(context.root, app))))
  return [...inUnits, ...perUnit.flat()]
}

export async function repairLeftovers(context: UnitContext, leftovers: readonly Leftover[]): Promise<void> {
  for (const leftover of leftovers) {
    if (leftover.kind === 'unfinished-switch') {
      await settleSwitch(context, unitPaths(context.root, leftover.app))
    } else {
      await context.trees.remove(leftover.path)
      await context.files.sync(leftover.path.slice(0, leftover.path.lastIndexOf('/')))
    }
  }
}

async function inUnit(context: UnitContext, paths: UnitPaths): Promise<readonly Leftover[]> {
  const { files } = context
  const found: Leftover[] = []
  const record = await readSwitch(context, paths)
  const finish = record !== undefined && (await tookEffect(context, paths, record))
  const traces = [paths.switchRecord, `${paths.switchRecord}.tmp`, `${paths.current}.tmp`]
  for (const path of traces) {
    if (!(await files.stat(path))) continue
    found.push({ kind: 'unfinished-switch', app: paths.app, path, action: finish ? 'finish' : 'remove' })
    break
  }
  const beingPutAside = record && finish ? partial(snapshotFolder(paths, record.keep_as)) : undefined
  const snapshots = await unfinishedIn(context, paths.snapshots, 'unfinished-snapshot', paths.app)
  return [...found, ...snapshots.filter((leftover) => leftover.path !== beingPutAside)]
}

/** `app` is undefined in the folder of the units, where the name itself is the application. */
async function unfinishedIn(
  { files }: UnitContext,
  folder: string,
  kind: Leftover['kind'],
  app?: string,
): Promise<readonly Leftover[]> {
  const entries = (await files.list(folder)) ?? []
  return entries.flatMap(({ name }): Leftover[] => {
    const path = `${folder}/${name}`
    const base = path.slice(0, path.lastIndexOf('.'))
    const owner = app ?? name.split('.')[0] ?? name
    if (path === partial(base)) return [{ kind, app: owner, path, action: 'remove' }]
    if (path === removing(base)) return [{ kind: 'unfinished-removal', app: owner, path, action: 'remove' }]
    return []
  })
}
