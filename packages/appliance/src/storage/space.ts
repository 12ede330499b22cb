import { AppError } from '@caretaker/kernel/errors.ts'
import { formatBytes, GIB } from '@caretaker/kernel/units.ts'
import type { Space } from '@caretaker/ports/files.ts'
import type { StorageSpace } from './storage.ts'

/** Spec S5: warn at 80 %. */
const WARN_RATIO = 0.8

/**
 * The reserve line when the config names none: a tenth of the volume, at most 10 GiB. It is what Postgres may
 * still write (WAL, temporary files) while a person makes room; half of the origin's headroom below the warning.
 */
export function defaultReserveBytes(totalBytes: number): number {
  return Math.min(Math.floor(totalBytes / 10), 10 * GIB)
}

export function judgeSpace(
  space: Space,
  reserveBytes: number = defaultReserveBytes(space.totalBytes),
): StorageSpace {
  const usedRatio = space.totalBytes === 0 ? 1 : 1 - space.availableBytes / space.totalBytes
  return {
    totalBytes: space.totalBytes,
    availableBytes: space.availableBytes,
    reserveBytes,
    usedRatio,
    warn: usedRatio >= WARN_RATIO,
    belowReserve: space.availableBytes < reserveBytes,
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
