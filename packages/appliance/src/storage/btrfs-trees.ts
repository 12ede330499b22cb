import { basename, dirname } from 'node:path'
import { AppError } from '@caretaker/kernel/errors.ts'
import type { Files } from '@caretaker/ports/files.ts'
import type { Processes } from '@caretaker/ports/process.ts'
import { btrfsCommands, runBtrfs } from './btrfs-program.ts'
import { type Nested, nestedBelow } from './btrfs-subvolumes.ts'
import type { Trees } from './trees.ts'

export interface BtrfsMachine {
  readonly files: Files
  readonly processes: Pick<Processes, 'run'>
}

/** Where the layout has trees; all else in it are plain folders. */
const TREE_NAME = /^(content|gen-\d+)$/

/**
 * Trees are subvolumes: copies are snapshots, sealed ones are read-only for everyone. A subvolume that an application
 * made inside is not part of a snapshot of the outer one: a live snapshot is refused, copies of what is sealed take it
 * along one by one, and removal takes it first.
 */
export function btrfsTrees({ files, processes }: BtrfsMachine): Trees {
  const run = (command: Parameters<typeof runBtrfs>[1]) => runBtrfs(processes, command)
  const idOf = async (path: string) => Number(await run(btrfsCommands.idOf(path)))
  const isSubvolume = async (path: string) => (await idOf(path)) !== (await idOf(dirname(path)))
  const nestedIn = async (path: string): Promise<readonly Nested[]> =>
    nestedBelow(await run(btrfsCommands.list(dirname(path))), await idOf(path))

  const removeSubvolume = async (path: string): Promise<void> => {
    const nested = await nestedIn(path)
    if (nested.length > 0) await run(btrfsCommands.setReadOnly(path, false))
    for (const inner of nested) await run(btrfsCommands.setReadOnly(`${path}/${inner.path}`, false))
    for (const inner of nested.toReversed()) await run(btrfsCommands.deleteNested(inner.id, path))
    await run(btrfsCommands.delete(path))
  }

  const remove = async (path: string): Promise<void> => {
    if ((await files.stat(path))?.kind !== 'folder') return files.remove(path)
    if (TREE_NAME.test(basename(path))) {
      return (await isSubvolume(path)) ? removeSubvolume(path) : files.remove(path)
    }
    for (const { name, kind } of (await files.list(path)) ?? [])
      if (kind === 'folder') await remove(`${path}/${name}`)
    await files.remove(path)
  }

  return {
    measured: 'when-listed',
    async create(path) {
      await run(btrfsCommands.create(path))
      await files.setMode(path, 0o700)
      await run(btrfsCommands.sync(path))
    },
    async freeze(from, to) {
      const [nested] = await nestedIn(from)
      if (nested) throw nestedError(`${from}/${nested.path}`)
      await run(btrfsCommands.readOnlySnapshot(from, to))
      await run(btrfsCommands.sync(to))
    },
    modesOf: async () => ({}),
    async seal(path) {
      await run(btrfsCommands.setReadOnly(path, true))
    },
    async thaw(from, to) {
      await run(btrfsCommands.snapshot(from, to))
      for (const inner of await nestedIn(from)) {
        // The snapshot has an empty folder in its place.
        await files.remove(`${to}/${inner.path}`)
        await run(btrfsCommands.snapshot(`${from}/${inner.path}`, `${to}/${inner.path}`))
      }
      await run(btrfsCommands.sync(to))
    },
    remove,
  }
}

function nestedError(path: string): AppError {
  return new AppError('STORAGE_NESTED', {
    what: 'The snapshot was not taken',
    why: `${path} is a subvolume of its own, made by the application: the snapshot would not hold what is in it`,
    next: `Stop the application and make it a folder: mv ${path} ${path}.old; cp -a --reflink=always ${path}.old ${path}; btrfs subvolume delete ${path}.old`,
  })
}
