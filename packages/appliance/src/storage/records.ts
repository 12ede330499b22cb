import { switchLink, writeJsonDurably } from '@caretaker/ports/durable.ts'
import type { Files } from '@caretaker/ports/files.ts'

/** How a back end keeps its small records of snapshots and switches. Writing replaces the old one whole, durably. */
export interface Records {
  /** The JSON text, undefined when there is none. */
  read(path: string): Promise<string | undefined>
  write(path: string, value: unknown): Promise<void>
}

export function fileRecords(files: Files): Records {
  return {
    read: (path) => files.readText(path),
    write: (path, value) => writeJsonDurably(files, path, value),
  }
}

/**
 * Each record is the target of a symbolic link: that takes no data block, so a switch back is still possible on a btrfs
 * on which not one byte of data can be written. At most 4 KB.
 */
export function linkRecords(files: Files): Records {
  return {
    read: (path) => files.readLink(path),
    write: (path, value) => switchLink(files, JSON.stringify(value), path),
  }
}
