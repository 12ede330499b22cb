import { existsSync, readFileSync } from 'node:fs'
import { access, constants, open, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import type { Command, MarkedProcess, ProcessIdentity, ProcessLabel } from '@caretaker/ports/process.ts'
import { markOf } from '@caretaker/ports/process-mark.ts'
import { LABEL_VARIABLE } from './label.ts'
import { hasEnded, isIdentityAlive, listPids, readBootId, readStat, readVariable, WAY_IN } from './proc.ts'

/** Of util-linux: sets limits and becomes the program that follows. */
const PRLIMIT = '/usr/bin/prlimit'
const PRLIMIT_NAME = 'prlimit'
/** The limit of file locks means nothing to Linux since 2.4.25, and is inherited like every other: getrlimit(2). */
const LIMIT = /^Max file locks +\S+ +(\S+)/m
/** Where the C library looks without a PATH. */
const DEFAULT_PATH = '/bin:/usr/bin'

/**
 * The same command with the mark of a label on it: a hard limit that only root can lift, which every process inherits that
 * descends from it. Unchanged where the machine has no way to mark it, or no such program to run.
 */
export async function marked<Given extends Pick<Command, 'file' | 'args' | 'env' | 'cwd'>>(
  command: Given,
  label: ProcessLabel,
): Promise<Given> {
  if (!canMark() || !(await isRunnable(command))) return command
  const mark = markOf(label)
  return { ...command, file: PRLIMIT, args: [`--locks=${mark}:${mark}`, '--', command.file, ...command.args] }
}

/** Between two looks at what becomes another program, which takes a thousandth of a second on an idle machine. */
const BECOME_POLL_MS = 1
/** What takes all its environment away at once is not waited for longer. */
const BECOME_LIMIT_MS = 500

/** Resolves when what was {@link marked} and started is its program, and its environment can be read; or when it has ended. */
export async function hasBecomeProgram(identity: ProcessIdentity): Promise<void> {
  const { pid } = identity
  while (isIdentityAlive(identity) && readStat(pid)?.name === PRLIMIT_NAME) await wait(BECOME_POLL_MS)
  const deadline = performance.now() + BECOME_LIMIT_MS
  while (isIdentityAlive(identity) && performance.now() < deadline) {
    if (readVariable(pid, LABEL_VARIABLE) !== undefined) return
    await wait(BECOME_POLL_MS)
  }
}

/** See `Processes.findMarked`. */
export async function findMarked(): Promise<readonly MarkedProcess[]> {
  return (await listPids()).map(describe).filter((entry) => entry !== undefined)
}

function describe(pid: number): MarkedProcess | undefined {
  const seen = readStat(pid)
  if (!seen || seen.isKernelThread || hasEnded(seen) || seen.name === WAY_IN) return undefined
  const mark = readMark(pid)
  if (mark === undefined) return undefined
  return { identity: { pid, startTicks: seen.startTicks, bootId: readBootId() }, name: seen.name, mark }
}

function readMark(pid: number | 'self'): bigint | undefined {
  try {
    const limit = LIMIT.exec(readFileSync(`/proc/${pid}/limits`, 'utf8'))?.[1]
    return limit === undefined || !/^\d+$/.test(limit) ? undefined : BigInt(limit)
  } catch {
    // It ended while it was looked at.
    return undefined
  }
}

let canMarkOnce: boolean | undefined

/** Who is marked itself can put no higher mark on anything. */
function canMark(): boolean {
  canMarkOnce ??= readMark('self') === undefined && existsSync(PRLIMIT)
  return canMarkOnce
}

/** Whether there is such a program, and the interpreter that it names: a missing one is told by who starts it. */
async function isRunnable({ file, env, cwd = '.' }: Pick<Command, 'file' | 'env' | 'cwd'>): Promise<boolean> {
  const path = typeof env?.['PATH'] === 'string' ? env['PATH'] : DEFAULT_PATH
  const places = file.includes('/') ? [file] : path.split(':').map((folder) => join(folder, file))
  for (const place of places) {
    const program = resolve(cwd, place)
    if (await isProgram(program)) return hasInterpreter(program, cwd)
  }
  return false
}

async function isProgram(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK)
    return (await stat(path)).isFile()
  } catch {
    return false
  }
}

/** The first line of a script is at most this long: execve(2). */
const FIRST_LINE_BYTES = 256

async function hasInterpreter(path: string, cwd: string): Promise<boolean> {
  try {
    await using file = await open(path, 'r')
    const { buffer, bytesRead } = await file.read(Buffer.alloc(FIRST_LINE_BYTES), 0, FIRST_LINE_BYTES, 0)
    const [, interpreter] = /^#![ \t]*([^ \t\n]+)/.exec(buffer.toString('latin1', 0, bytesRead)) ?? []
    return interpreter === undefined || (await isProgram(resolve(cwd, interpreter)))
  } catch {
    // What can be run and not read is no script.
    return true
  }
}
