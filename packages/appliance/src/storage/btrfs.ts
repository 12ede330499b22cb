import { dirname } from 'node:path'
import { AppError } from '@caretaker/kernel/errors.ts'
import type { Files } from '@caretaker/ports/files.ts'
import type { Machine } from '@caretaker/ports/machine.ts'
import type { Processes } from '@caretaker/ports/process.ts'
import { btrfsCommands, runBtrfs } from './btrfs-program.ts'
import { btrfsTrees } from './btrfs-trees.ts'
import { metadataRoom, parseUsage } from './btrfs-usage.ts'
import { linkRecords } from './records.ts'
import { judgeSpace } from './space.ts'
import type { Storage } from './storage.ts'
import { createUnitStorage, type StorageOptions } from './units.ts'

export interface BtrfsStorageOptions extends StorageOptions {
  readonly processes: Pick<Processes, 'run'>
  readonly machine: Pick<Machine, 'user'>
}

/**
 * The back end for btrfs: a subvolume per generation and snapshot, so that database and files are one instant of one
 * application. Snapshots and copies take no time and may be taken under writers. As root only: removing and listing
 * subvolumes needs it.
 */
export function createBtrfsStorage(options: BtrfsStorageOptions): Storage {
  const { files, processes, machine, root } = options
  return createUnitStorage(options, {
    backend: 'btrfs',
    instant: true,
    trees: btrfsTrees(options),
    records: linkRecords(files),
    copyBytes: async () => 0,

    async assertUsable() {
      const { uid, name } = machine.user()
      if (uid !== 0) throw needsRoot(name)
      const folder = await nearestFolder(files, root)
      const { fileSystem } = await files.space(folder)
      if (fileSystem !== 'btrfs') throw otherFileSystem(root, folder, fileSystem)
      await runBtrfs(processes, btrfsCommands.version())
    },

    async space() {
      const { totalBytes } = await files.space(root)
      const usage = parseUsage(await runBtrfs(processes, btrfsCommands.usage(root)))
      const availableBytes = Math.min(usage.dataFreeBytes, totalBytes)
      return judgeSpace({ totalBytes, availableBytes }, options, metadataRoom(usage))
    },
  })
}

/** The folder itself, or the one above it that is there. */
async function nearestFolder(files: Pick<Files, 'stat'>, path: string): Promise<string> {
  if (path === dirname(path) || (await files.stat(path))) return path
  return nearestFolder(files, dirname(path))
}

function needsRoot(name: string): AppError {
  return new AppError('STORAGE_NEEDS_ROOT', {
    what: 'The storage back end "btrfs" cannot work',
    why: `it makes and removes subvolumes, which needs root, and this runs as ${name}`,
    next: 'Run caretaker as root, or set caretaker.storage.backend to "directory" before the first start',
  })
}

function otherFileSystem(root: string, folder: string, found: string): AppError {
  const where = folder === root ? 'it lies' : `${folder}, which would hold it, lies`
  return new AppError('STORAGE_FILE_SYSTEM', {
    what: `The data folder ${root} cannot be used by the storage back end "btrfs"`,
    why: `${where} on ${found}, not on btrfs`,
    next: `Mount a btrfs file system there ("mount DEVICE ${root}"; an empty disk becomes one with "mkfs.btrfs DEVICE"), or set caretaker.storage.data to a folder on one; then "caretaker up"`,
  })
}
