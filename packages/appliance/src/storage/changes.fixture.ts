import type { Files } from '@caretaker/ports/files.ts'
import type { Command } from '@caretaker/ports/process.ts'

const FILE_CHANGES = new Set<keyof Files>([
  'makeFolder',
  'write',
  'append',
  'truncate',
  'sync',
  'rename',
  'link',
  'remove',
  'copyTree',
  'copyLiveTree',
  'setMode',
  'setOwner',
])
const PROGRAM_CHANGES = new Set([
  'subvolume create',
  'subvolume snapshot',
  'subvolume delete',
  'property set',
  'filesystem sync',
])

/** Whether the call changes the disk, or makes a change durable. */
export const isFileChange = (name: keyof Files): boolean => FILE_CHANGES.has(name)

/** The same of a call of the program `btrfs`. */
export const isProgramChange = (command: Pick<Command, 'args'>): boolean =>
  PROGRAM_CHANGES.has(command.args.slice(0, 2).join(' '))
