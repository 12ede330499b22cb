import { AppError } from '@caretaker/kernel/errors.ts'
import { formatBytes } from '@caretaker/kernel/units.ts'
import type { Room, StorageSpace } from './storage.ts'

/** The lines of the config's `storage` section, in percent of the volume. */
export interface SpaceLines {
  /** Warn when this much is used. */
  readonly warnPercent: number
  /** Refuse updates and clones when less than this would stay free. */
  readonly reservePercent: number
}

type Bytes = Omit<Room, 'usedRatio'>

/** `metadata` where the file system keeps its own records apart from data. */
export function judgeSpace(space: Bytes, lines: SpaceLines, metadata?: Bytes): StorageSpace {
  const data = roomOf(space)
  const records = metadata && roomOf(metadata)
  const rooms = records ? [data, records] : [data]
  return {
    ...data,
    reserveBytes: lineOf(data, lines),
    ...(records ? { metadata: records } : {}),
    warn: rooms.some((room) => room.usedRatio * 100 >= lines.warnPercent),
    belowReserve: rooms.some((room) => room.availableBytes < lineOf(room, lines)),
  }
}

/** @throws AppError STORAGE_SPACE (exit 75) when `bytes` more would leave less than the reserve. */
export function assertRoom(space: StorageSpace, bytes: number, root: string): void {
  const what = `There is no room for ${bytes === 0 ? '' : `${formatBytes(bytes)} `}more on the data volume`
  const { availableBytes, reserveBytes, metadata } = space
  if (availableBytes - bytes < reserveBytes) {
    throw new AppError('STORAGE_SPACE', {
      what,
      why: `${root} has ${formatBytes(availableBytes)} free, and ${formatBytes(reserveBytes)} of it are kept for what is running`,
      next: 'Remove snapshots or clones that are no longer needed, or enlarge the volume, then repeat the command',
    })
  }
  if (space.belowReserve && metadata) {
    throw new AppError('STORAGE_SPACE', {
      what,
      why: `${root} has ${formatBytes(availableBytes)} free for data, but only ${metadataLeft(metadata)}`,
      next: `${makeMetadataRoom(root)}; then repeat the command`,
    })
  }
}

/** What is left of the room for the file system's own records, in words. */
export function metadataLeft({ availableBytes, totalBytes }: Room): string {
  return `${formatBytes(availableBytes)} of ${formatBytes(totalBytes)} are left for the records of the file system (metadata)`
}

/** What a person types when metadata runs out while there is room for data. */
export function makeMetadataRoom(root: string): string {
  return `Remove snapshots that are no longer needed, give unused data blocks back ("btrfs balance start -dusage=20 ${root}"), or enlarge the volume`
}

function roomOf({ totalBytes, availableBytes }: Bytes): Room {
  return { totalBytes, availableBytes, usedRatio: totalBytes === 0 ? 1 : 1 - availableBytes / totalBytes }
}

function lineOf(room: Bytes, lines: SpaceLines): number {
  return Math.floor((room.totalBytes * lines.reservePercent) / 100)
}
