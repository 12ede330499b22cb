import { directoryTrees } from './directory-trees.ts'
import { fileRecords } from './records.ts'
import { judgeSpace } from './space.ts'
import type { Storage } from './storage.ts'
import { createUnitStorage, type StorageOptions } from './units.ts'

/**
 * The back end for any file system: snapshots are copies (by reflink where the file system can), so they take
 * time and want stopped writers.
 */
export function createDirectoryStorage(options: StorageOptions): Storage {
  const { files, root } = options
  return createUnitStorage(options, {
    backend: 'directory',
    instant: false,
    trees: directoryTrees(files),
    records: fileRecords(files),
    assertUsable: async () => undefined,
    space: async () => judgeSpace(await files.space(root), options),
    copyBytes: (generation) => files.treeSize(generation),
  })
}
