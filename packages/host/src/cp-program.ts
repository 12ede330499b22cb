import { AppError } from '@caretaker/kernel/errors.ts'
import { commandError, runToSuccess } from '@caretaker/ports/command.ts'
import type { Command } from '@caretaker/ports/process.ts'
import { runCommand } from './run-command.ts'

/** What it writes is compared, so it is written in English. */
const ENVIRONMENT = { PATH: '/usr/local/bin:/usr/bin:/bin', LC_ALL: 'C' }
/** `cp` ends with us, also when we are killed: nobody would know of it. */
const MORTAL = ['--pdeathsig', 'KILL', 'cp']
/** All that a file has; holes stay holes, and blocks are shared where the file system can. */
const EVERYTHING = ['-a', '--reflink=auto', '--sparse=auto']

/** How strerror(3) names in the C locale what callers tell apart. */
const SYSTEM_ERRORS: readonly (readonly [string, string])[] = [
  ['No space left on device', 'ENOSPC'],
  ['Disk quota exceeded', 'EDQUOT'],
  ['Read-only file system', 'EROFS'],
  ['Permission denied', 'EACCES'],
  ['Operation not permitted', 'EPERM'],
  ['File exists', 'EEXIST'],
  ['No such file or directory', 'ENOENT'],
]

/** A line for a file that was there when its folder was read, and is gone. */
const VANISHED = /^cp: (?!cannot create ).*: No such file or directory$/
/** A line for a file under whose name another one lies since `cp` looked: it was not copied. */
const REPLACED = /^cp: skipping file .*, as it was replaced while being copied$/

/** What `cp` said of the files that it did not copy, and the error that this is to who did not expect it. */
export interface Complaints {
  readonly lines: readonly string[]
  readonly error: Error | undefined
}

export const isVanished = (line: string): boolean => VANISHED.test(line)
export const isReplaced = (line: string): boolean => REPLACED.test(line)

/**
 * Runs `cp` of coreutils for whole trees. No lines: all was copied.
 * @throws AppError COMMAND_NOT_FOUND where it, or `setpriv` of util-linux, is none that can do this; CANCELLED
 */
export async function runCp(
  args: readonly string[],
  { cwd, signal }: { readonly cwd?: string; readonly signal?: AbortSignal | undefined },
): Promise<Complaints> {
  const command: Command = {
    file: 'setpriv',
    args: [...MORTAL, ...EVERYTHING, ...args],
    env: ENVIRONMENT,
    ...(cwd === undefined ? {} : { cwd }),
  }
  const result = await runCommand(command, signal)
  if (result.exitCode === 0) return { lines: [], error: undefined }
  const lines = result.stderr.split('\n').filter((line) => line !== '')
  if (!lines.every((line) => line.startsWith('cp: '))) await assertPrograms()
  return { lines, error: systemError(lines) ?? commandError(command, result) }
}

/** Makes everything durable that was written on the file system of a path. @throws AppError COMMAND_FAILED */
export async function syncFileSystem(path: string, signal: AbortSignal | undefined): Promise<void> {
  await runToSuccess(
    { run: runCommand },
    { file: 'sync', args: ['-f', '--', path], env: ENVIRONMENT },
    signal,
  )
}

/** The first complaint that is none of these, as an error of the operating system where it is one. */
function systemError(lines: readonly string[]): Error | undefined {
  for (const line of lines) {
    const known = SYSTEM_ERRORS.find(([words]) => line.endsWith(`: ${words}`))
    if (known && !isVanished(line)) return Object.assign(new Error(line), { code: known[1] })
  }
  return undefined
}

async function assertPrograms(): Promise<void> {
  const command = { file: 'setpriv', args: [...MORTAL, '--version'], env: ENVIRONMENT }
  const { exitCode } = await runCommand(command)
  if (exitCode === 0) return
  throw new AppError('COMMAND_NOT_FOUND', {
    what: 'Files could not be copied',
    why: '"cp" of GNU coreutils and "setpriv" of util-linux are not there, or others of these names that keep less of a file',
    next: 'Install the packages coreutils and util-linux, then repeat the command',
  })
}
