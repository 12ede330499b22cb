import { MIB } from '@caretaker/kernel/units.ts'

/** What `btrfs filesystem usage --raw` tells, in bytes. */
export interface BtrfsUsage {
  /** Not yet given to data or metadata. Counted on the devices: copies included. */
  readonly unallocatedBytes: number
  /** What can still be written as data. */
  readonly dataFreeBytes: number
  /** How many bytes on the devices one byte of metadata takes, as 2 for DUP. */
  readonly metadataRatio: number
  /** The part of metadata that btrfs keeps for removing and committing when nothing else is left. */
  readonly globalReserveBytes: number
  /** Undefined where data and metadata share their blocks (mixed), or when it was not told. */
  readonly metadata: { readonly sizeBytes: number; readonly usedBytes: number } | undefined
}

/** What running transactions keep besides: with less, btrfs itself says that nothing is free (btrfs_statfs, SZ_4M). */
const KEPT_BYTES = 4 * MIB

/** @throws Error when it is not the output of a btrfs program we know. */
export function parseUsage(text: string): BtrfsUsage {
  const metadata = /^Metadata,.*: Size:(\d+), Used:(\d+)/m.exec(text)
  return {
    unallocatedBytes: numberAfter(text, 'Device unallocated'),
    dataFreeBytes: numberAfter(text, 'Free (estimated)'),
    metadataRatio: numberAfter(text, 'Metadata ratio'),
    globalReserveBytes: numberAfter(text, 'Global reserve'),
    metadata: metadata ? { sizeBytes: Number(metadata[1]), usedBytes: Number(metadata[2]) } : undefined,
  }
}

/** Room for metadata: what it has, and what it can still get. */
export function metadataRoom(
  usage: BtrfsUsage,
): { readonly totalBytes: number; readonly availableBytes: number } | undefined {
  if (!usage.metadata) return undefined
  const { sizeBytes, usedBytes } = usage.metadata
  const growthBytes = Math.floor(usage.unallocatedBytes / usage.metadataRatio)
  return {
    totalBytes: sizeBytes + growthBytes,
    availableBytes: Math.max(0, sizeBytes - usedBytes - usage.globalReserveBytes - KEPT_BYTES) + growthBytes,
  }
}

function numberAfter(text: string, label: string): number {
  const line = text.split('\n').find((entry) => entry.trimStart().startsWith(`${label}:`))
  const number = Number(/:\s*([\d.]+)/.exec(line ?? '')?.[1] ?? Number.NaN)
  if (Number.isNaN(number)) throw new Error(`btrfs filesystem usage does not say "${label}"`)
  return number
}
