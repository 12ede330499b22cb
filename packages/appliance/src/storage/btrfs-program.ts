import { AppError, isAppError } from '@caretaker/kernel/errors.ts'
import { MINUTE_MS } from '@caretaker/kernel/time.ts'
import { commandError } from '@caretaker/ports/command.ts'
import type { Command, Processes } from '@caretaker/ports/process.ts'

/** A busy file system commits within seconds, a badly fragmented one on a slow disk within minutes. */
const TIMEOUT_MS = 10 * MINUTE_MS
/** Debian keeps the program in one of them. The locale makes messages the same everywhere. */
const ENVIRONMENT = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' }

/** What we tell the program `btrfs`. Paths are absolute. */
export const btrfsCommands = {
  version: () => btrfs('version'),
  create: (path: string) => btrfs('subvolume', 'create', path),
  snapshot: (from: string, to: string) => btrfs('subvolume', 'snapshot', from, to),
  readOnlySnapshot: (from: string, to: string) => btrfs('subvolume', 'snapshot', '-r', from, to),
  delete: (path: string) => btrfs('subvolume', 'delete', '--commit-after', path),
  /** Deletes the subvolume `id` somewhere below the subvolume at `path`. */
  deleteNested: (id: number, path: string) =>
    btrfs('subvolume', 'delete', '--commit-after', '--subvolid', String(id), path),
  setReadOnly: (path: string, readOnly: boolean) =>
    btrfs('property', 'set', '-ts', path, 'ro', String(readOnly)),
  /** Everything written to the file system so far is on disk when it ends. */
  sync: (path: string) => btrfs('filesystem', 'sync', path),
  /** Prints the id of the subvolume that holds the path. */
  idOf: (path: string) => btrfs('inspect-internal', 'rootid', path),
  list: (path: string) => btrfs('subvolume', 'list', '-p', path),
  usage: (path: string) => btrfs('filesystem', 'usage', '--raw', path),
}

/**
 * Runs one of {@link btrfsCommands} and gives what it printed.
 * @throws AppError COMMAND_NOT_FOUND naming the package, COMMAND_FAILED, COMMAND_TIMEOUT; an error with the code ENOSPC
 * when the file system is full
 */
export async function runBtrfs(processes: Pick<Processes, 'run'>, command: Command): Promise<string> {
  const result = await processes.run(command).catch((error: unknown) => {
    throw isAppError(error, 'COMMAND_NOT_FOUND') ? programMissing() : error
  })
  if (result.exitCode === 0) return result.stdout
  // The program has one exit code for every failure; this is strerror(ENOSPC) of the C locale.
  if (result.stderr.includes('No space left on device')) {
    const path = command.args.at(-1) ?? ''
    const error = new Error(`ENOSPC: no space left on device, btrfs ${command.args.join(' ')}`)
    throw Object.assign(error, { code: 'ENOSPC', path })
  }
  throw commandError(command, result)
}

function btrfs(...args: string[]): Command {
  return { file: 'btrfs', args, env: ENVIRONMENT, cwd: '/', timeoutMs: TIMEOUT_MS }
}

function programMissing(): AppError {
  return new AppError('COMMAND_NOT_FOUND', {
    what: 'The storage back end "btrfs" cannot work',
    why: 'the program btrfs is not installed',
    next: 'Install it ("apt install btrfs-progs"), then "caretaker up"',
  })
}
