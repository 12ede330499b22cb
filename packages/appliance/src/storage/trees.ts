import type { FolderModes } from './seal.ts'

/**
 * How a back end keeps a tree: the content of a generation or of a snapshot. The folders around trees are those of
 * `unit-layout.ts` for every back end. A call that is done is durable, but for the name `to` or `path` in its folder.
 */
export interface Trees {
  /** Makes an empty tree of mode 0700. */
  create(path: string): Promise<void>
  /**
   * Makes the content of a snapshot: `from` as it is now, at `to`, which must not exist. What takes time ends with `signal`.
   * @throws AppError STORAGE_NESTED when it would not hold everything
   */
  freeze(from: string, to: string, signal: AbortSignal): Promise<void>
  /** What {@link Trees.thaw} has to know of a tree that is about to be sealed. */
  modesOf(path: string): Promise<FolderModes>
  /** Takes from everyone what the file system can: the right to write in the tree. Safe to repeat. */
  seal(path: string, modes: FolderModes): Promise<void>
  /** A writable copy of the sealed tree `from` at `to`, which must not exist. */
  thaw(from: string, to: string, modes: FolderModes, signal?: AbortSignal): Promise<void>
  /** Removes a tree, or a folder of the layout with all its trees; nothing when it is gone. */
  remove(path: string): Promise<void>
  /** When the size of a snapshot is measured: it has to visit every file, which an instant snapshot does not wait for. */
  readonly measured: 'when-taken' | 'when-listed'
}
