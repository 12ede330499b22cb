import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { stat } from 'node:fs/promises'
import { AppError } from '@caretaker/kernel/errors.ts'
import { reveal } from '@caretaker/kernel/secrets.ts'
import type { Owner } from '@caretaker/ports/files.ts'
import type { Command } from '@caretaker/ports/process.ts'
import { isErrno } from './errno.ts'
import { LABEL_VARIABLE, labelText } from './label.ts'
import { marked } from './marks.ts'

type Spawned = Pick<Command, 'file' | 'args' | 'env' | 'cwd' | 'owner' | 'label'>

/**
 * Starts a program in a session and process group of its own, with exactly the environment of the command, and its label.
 * The one place where secrets of an environment are revealed.
 * @throws AppError COMMAND_NOT_FOUND
 */
export async function spawnCommand(
  given: Spawned,
  stdio: SpawnOptions['stdio'],
  onSpawned: (child: ChildProcess, pid: number) => void,
): Promise<void> {
  const { label } = given
  const command = label ? await marked(given, label) : given
  const own = label ? { [LABEL_VARIABLE]: labelText(label) } : {}
  const environment = Object.entries({ ...command.env, ...own }).map(([name, value]) => [name, reveal(value)])
  const child = spawn(command.file, command.args, {
    env: Object.fromEntries(environment),
    ...(command.cwd === undefined ? {} : { cwd: command.cwd }),
    ...(command.owner === undefined || isMyself(command.owner) ? {} : command.owner),
    detached: true,
    stdio,
  })
  if (child.pid !== undefined) return onSpawned(child, child.pid)
  const [error] = await new Promise<[unknown]>((resolve) =>
    child.once('error', (reason) => resolve([reason])),
  )
  throw await spawnError(given, error)
}

/** Without a change of user we keep our supplementary groups. */
function isMyself(owner: Owner): boolean {
  return owner.uid === process.getuid?.() && owner.gid === process.getgid?.()
}

/** ENOENT means a missing program, a missing interpreter of a script, or a missing working folder. */
async function spawnError(command: Spawned, error: unknown): Promise<unknown> {
  if (!isErrno(error, 'ENOENT', 'ENOTDIR')) return error
  if (command.cwd !== undefined && !(await isFolder(command.cwd))) {
    return new Error(`the working folder ${command.cwd} of ${command.file} is not there`, { cause: error })
  }
  const looked = command.file.includes('/') ? 'there is no such file' : 'it is in no folder of its PATH'
  return new AppError('COMMAND_NOT_FOUND', {
    what: `"${command.file}" could not be run`,
    why: `${looked}, or the interpreter it names is missing`,
    next: `Install "${command.file}", then repeat the command`,
    cause: error,
  })
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (info) => info.isDirectory(),
    () => false,
  )
}
