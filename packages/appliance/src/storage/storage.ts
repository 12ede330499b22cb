/** The back ends this version knows. */
export type StorageBackend = 'directory' | 'btrfs'

/**
 * Whose data volume this is:
 * - `absent`: there is no data volume.
 * - `empty`: it is there and holds nothing.
 * - `ours`: it carries the id that was asked for.
 * - `foreign`: it carries another id, or holds things without carrying any.
 * - `other-backend`: it carries the id, but another back end made it.
 * - `unreadable`: it cannot be told.
 */
export interface StorageIdentity {
  readonly state: 'absent' | 'empty' | 'ours' | 'foreign' | 'other-backend' | 'unreadable'
  /** The id on the volume, when it carries one. */
  readonly applianceId?: string
  /** What was found, in words; always there unless `ours`. */
  readonly why?: string
}

export interface Snapshot {
  readonly name: string
  /** When its content was current for the last time. Undefined when damaged. */
  readonly createdAt: Date | undefined
  /** Bytes of its content; back ends that share blocks may use less. 0 when damaged. */
  readonly sizeBytes: number
  /** A damaged one is listed so that a person sees it; using it throws SNAPSHOT_DAMAGED. */
  readonly state: 'complete' | 'damaged'
}

/** A snapshot without its size, which may take as long to tell as it has files. */
export type FoundSnapshot = Omit<Snapshot, 'sizeBytes'>

/** Room for one kind of content, in bytes. */
export interface Room {
  readonly totalBytes: number
  readonly availableBytes: number
  /** Used part, 0 to 1. */
  readonly usedRatio: number
}

/** Space of the data volume, in bytes. */
export interface StorageSpace extends Room {
  /** The line that updates and clones do not cross. */
  readonly reserveBytes: number
  /**
   * Room for the file system's own records, where it keeps them apart (btrfs): it can be full while there is room for
   * data. Counts for `warn` and `belowReserve` by the same lines.
   */
  readonly metadata?: Room
  /** Used beyond the warning line. */
  readonly warn: boolean
  readonly belowReserve: boolean
}

/** Something an interrupted call left behind, and what {@link Storage.repair} does with it. */
export interface Leftover {
  readonly kind: 'unfinished-unit' | 'unfinished-snapshot' | 'unfinished-switch' | 'unfinished-removal'
  readonly app: string
  readonly path: string
  /** `finish`: the new state was already in force; `remove`: it was not. */
  readonly action: 'finish' | 'remove'
}

/**
 * The data volume: one snapshot unit per application, holding its database (`postgres/`) and its files
 * (`files/VOLUME/`) together, so that one snapshot has both of the same instant (spec S2).
 *
 * Names of units and snapshots are checked by `isName` (NAME_INVALID). Calls that change something are made by one
 * process at a time (the operation lock). Interrupted anywhere, they leave the state before or the state after;
 * what they leave beside it is found by `leftovers` and dealt with by `repair`, which runs before anything else
 * at a start. Everything is durable when a call returns.
 */
export interface Storage {
  readonly backend: StorageBackend
  /** Whether snapshots and copies take no time and may be taken under writers. If not: hold, stop, call, start. */
  readonly instant: boolean

  /**
   * Refuses where this back end cannot work. Changes nothing.
   * @throws AppError STORAGE_NEEDS_ROOT, STORAGE_FILE_SYSTEM, COMMAND_NOT_FOUND
   */
  assertUsable(): Promise<void>
  identify(applianceId: string): Promise<StorageIdentity>
  /**
   * Writes the id on an absent or empty volume; nothing when it is ours already.
   * @throws AppError STORAGE_FOREIGN, STORAGE_OTHER_BACKEND, STORAGE_UNREADABLE, and those of {@link Storage.assertUsable}
   */
  initialise(applianceId: string): Promise<void>

  listUnits(): Promise<readonly string[]>
  hasUnit(app: string): Promise<boolean>
  /** Creates an empty unit with a `files` folder; nothing when there is one. It belongs to the service user. */
  createUnit(app: string): Promise<void>
  /** The path through which the current state of the unit is always reached; it does not change with a switch. */
  unitPath(app: string): string
  /** Removes the unit with all its snapshots; nothing when there is none. */
  removeUnit(app: string): Promise<void>

  /** Bytes that one more snapshot or copy of the unit takes at once; 0 for instant back ends. For {@link Storage.reserve}. */
  copyBytes(app: string): Promise<number>
  /** @throws AppError SNAPSHOT_EXISTS, UNIT_UNKNOWN; STORAGE_NESTED when the snapshot would not hold everything; STORAGE_SPACE */
  snapshot(app: string, name: string): Promise<void>
  /** Oldest first; damaged ones at the end. */
  listSnapshots(app: string): Promise<readonly Snapshot[]>
  /** One of {@link Storage.listSnapshots}, at once, however much it holds; undefined when it is not there. */
  findSnapshot(app: string, name: string): Promise<FoundSnapshot | undefined>
  /**
   * Where the content of a snapshot can be read (by us, not by the application).
   * @throws AppError SNAPSHOT_UNKNOWN, SNAPSHOT_DAMAGED
   */
  snapshotPath(app: string, name: string): Promise<string>
  /** Does not mind if it is gone. */
  removeSnapshot(app: string, name: string): Promise<void>
  /**
   * A writable copy of the snapshot becomes current, by one rename. The state that was current is kept as the
   * read-only snapshot `keepAs`, the snapshot itself stays as it is. Writers are stopped, whatever the back end.
   * Repeated with the same arguments it finishes what was interrupted, or does nothing when it was done.
   * @throws AppError SNAPSHOT_UNKNOWN, SNAPSHOT_DAMAGED, UNIT_UNKNOWN; SNAPSHOT_EXISTS when `keepAs` is something else
   */
  switchTo(app: string, snapshot: string, keepAs: string): Promise<void>
  /**
   * Holds the room that {@link Storage.switchTo} will take for its copy, and a little more, so that no writer can fill the
   * disk up to the point where there is no way back; nothing for instant back ends. Until that call, or `releaseRoom`.
   * @throws AppError DISK_FULL; then nothing is held
   */
  holdRoom(app: string): Promise<void>
  /** Whether {@link Storage.holdRoom} has held room. */
  holdsRoom(app: string): Promise<boolean>
  /** Does not mind when none is held. */
  releaseRoom(app: string): Promise<void>
  /**
   * Creates the unit `newUnit` with the content of the snapshot; nothing when it is that already.
   * @throws AppError UNIT_EXISTS, SNAPSHOT_UNKNOWN, SNAPSHOT_DAMAGED
   */
  writableCopy(app: string, snapshot: string, newUnit: string): Promise<void>

  /**
   * Creates the unit `newUnit` with what `fill` copies from the current state of the unit, the folder `from`, into the
   * empty folder `to`. For back ends that are not instant: writers go on, so `fill` has to know how. It makes what it
   * copies durable, and ends when the signal fires.
   * @throws AppError UNIT_EXISTS, UNIT_UNKNOWN; STORAGE_SPACE when the reserve was reached while it copied
   */
  liveCopy(
    app: string,
    newUnit: string,
    fill: (from: string, to: string, signal: AbortSignal) => Promise<void>,
  ): Promise<void>

  leftovers(): Promise<readonly Leftover[]>
  /** Finishes or removes every leftover and says which there were. */
  repair(): Promise<readonly Leftover[]>

  space(): Promise<StorageSpace>
  /**
   * Refuses when `bytes` more would cross the reserve line. Not asked on the way back: a rollback is never refused.
   * Copies of back ends that are not instant are watched while they are made, but for that of {@link Storage.switchTo}.
   * @throws AppError STORAGE_SPACE
   */
  reserve(bytes: number): Promise<void>
}
