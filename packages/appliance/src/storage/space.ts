import { AppError } from '@caretaker/kernel/errors.ts'
import { formatBytes } from '@caretaker/kernel/units.ts'
import type { Space } from '@caretaker/ports/files.ts'
import type { StorageSpace } from './storage.ts'

/** The lines of the config's `storage` section, in percent of the volume. */
export interface SpaceLines {
  /** Warn when this much is used. */
  readonly warnPercent: number
  /** Refuse updates and clones when less than this would stay free. */
  readonly reservePercent: number
}

export function judgeSpace(
  space: Pick<Space, 'totalBytes' | 'availableBytes'>,
  lines: SpaceLines,
): StorageSpace {
  const { totalBytes, availableBytes } = space
  const reserveBytes = Math.floor((totalBytes * lines.reservePercent) / 100)
  const usedRatio = totalBytes === 0 ? 1 : 1 - availableBytes / totalBytes
  return {
    totalBytes,
    availableBytes,
    reserveBytes,
    usedRatio,
    warn: usedRatio * 100 >= lines.warnPercent,
    belowReserve: availableBytes < reserveBytes,
  }
}

/** @throws AppError STORAGE_SPACE (exit 75) when `bytes` more would leave less than the reserve. */
export function assertRoom(space: StorageSpace, bytes: number, root: string): void {
  if (space.availableBytes - bytes >= space.reserveBytes) return
  throw new AppError('STORAGE_SPACE', {
    what: `There is no room for ${formatBytes(bytes)} more on the data volume`,
    why: `${root} has ${formatBytes(space.availableBytes)} free, and ${formatBytes(space.reserveBytes)} of it are kept for what is running`,
    next: 'Remove snapshots or clones that are no longer needed, or enlarge the volume, then repeat the command',
  })
}
