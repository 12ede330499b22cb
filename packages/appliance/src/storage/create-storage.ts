import type { Ports } from '@caretaker/ports/ports.ts'
import { createBtrfsStorage } from './btrfs.ts'
import { createDirectoryStorage } from './directory.ts'
import type { Storage, StorageBackend } from './storage.ts'
import type { StorageOptions } from './units.ts'

/** The back end of that name over the data folder. Changes nothing. */
export function createStorage(
  backend: StorageBackend,
  ports: Pick<Ports, 'files' | 'clock' | 'processes' | 'machine'>,
  options: Omit<StorageOptions, 'files' | 'clock'>,
): Storage {
  const all = { ...options, files: ports.files, clock: ports.clock }
  switch (backend) {
    case 'directory':
      return createDirectoryStorage(all)
    case 'btrfs':
      return createBtrfsStorage({ ...all, processes: ports.processes, machine: ports.machine })
  }
}
