/** What lies at a path. Sizes in bytes, times in ms since 1970, `mode` the permission bits (0o7777). */
export interface FileInfo {
  readonly kind: 'file' | 'folder' | 'link' | 'other'
  readonly sizeBytes: number
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly modifiedMs: number
}

export interface FolderEntry {
  readonly name: string
  readonly kind: FileInfo['kind']
}

/** Space of the file system that holds a path, in bytes. `availableBytes` is what an ordinary user may still write. */
export interface Space {
  /** Where the file system is mounted. */
  readonly mount: string
  readonly totalBytes: number
  readonly availableBytes: number
  /** Files it can hold in all and still; undefined where the file system does not count them beforehand. */
  readonly totalFiles?: number
  readonly availableFiles?: number
  /** Kind of the file system as mount(8) names it, as "btrfs"; its magic number in hex when we know no name. */
  readonly fileSystem: string
  /** Whether it lies in memory (tmpfs) and is empty after a boot. */
  readonly inMemory: boolean
}

export interface Owner {
  readonly uid: number
  readonly gid: number
}

/**
 * The file system. Nothing is durable before `sync`: a written file needs `sync(file)`, and a name that was
 * created, renamed or removed needs `sync(folder)`. {@link writeDurably} does both in the right order.
 *
 * Missing things: `readText`, `stat`, `list` and `readLink` give undefined; `remove` does nothing; all else throws.
 * Links are not followed by `stat`, `remove`, `copyTree` and `setOwner`.
 *
 * An error of a full or read-only file system (ENOSPC, EDQUOT, EROFS) carries `path`, and `mount` where it is mounted.
 */
export interface Files {
  read(path: string): Promise<Uint8Array>
  readText(path: string): Promise<string | undefined>
  stat(path: string): Promise<FileInfo | undefined>
  /** Entries sorted by name; undefined when there is no such folder. */
  list(path: string): Promise<readonly FolderEntry[] | undefined>
  /**
   * Creates the folder and its parents; an existing one is left as it is, mode included. `mode` counts for the last one.
   * The names of the new folders are durable when it returns.
   */
  makeFolder(path: string, mode?: number): Promise<void>
  /** Creates or replaces the content. `mode` counts for new files only. */
  write(path: string, data: string | Uint8Array, mode?: number): Promise<void>
  /** Writes a file that must not exist yet; of several callers at once one succeeds. Throws EEXIST. */
  create(path: string, data: string | Uint8Array, mode: number): Promise<void>
  append(path: string, data: string | Uint8Array, mode?: number): Promise<void>
  truncate(path: string, sizeBytes: number): Promise<void>
  /** fsync of a file or a folder. */
  sync(path: string): Promise<void>
  rename(from: string, to: string): Promise<void>
  /** Creates a symbolic link at `path`; throws when `path` exists. */
  link(target: string, path: string): Promise<void>
  readLink(path: string): Promise<string | undefined>
  /** Removes a file, link or whole folder. */
  remove(path: string): Promise<void>
  /**
   * Copies a whole tree by reflink where the file system can, with all that it holds: modes, times, owners (as root),
   * symbolic and hard links, holes, extended attributes, access control lists, capabilities (as root), pipes and device
   * nodes (as root), names of any bytes. Nobody listens on the copy of a socket. `to` must not exist. Everything is on
   * disk (synced) when it returns.
   * @throws AppError COMMAND_NOT_FOUND without the programs for it; CANCELLED when `signal` fires: a part stays at `to`
   */
  copyTree(from: string, to: string, signal?: AbortSignal): Promise<void>
  /**
   * {@link Files.copyTree} of a folder in which others write meanwhile: what vanishes is left out, and a file that changes
   * is copied as it is read, up to its end. What `leaveOut` says is left out too; it is asked for paths relative to `from`.
   * A folder at or below which something is left out keeps owner, mode and times only, and no entries that are not UTF-8.
   */
  copyLiveTree(
    from: string,
    to: string,
    leaveOut: (path: string) => boolean,
    signal?: AbortSignal,
  ): Promise<void>
  /** Bytes that the files at and below a path take up on disk, folders not counted. 0 when there is nothing. */
  treeSize(path: string): Promise<number>
  setMode(path: string, mode: number): Promise<void>
  /** Sets the owner of the whole tree. Needs root unless it changes nothing. */
  setOwner(path: string, owner: Owner): Promise<void>
  space(path: string): Promise<Space>
}
