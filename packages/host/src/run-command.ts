import type { ChildProcess } from 'node:child_process'
import { setTimeout as wait } from 'node:timers/promises'
import { AppError } from '@caretaker/kernel/errors.ts'
import { redact } from '@caretaker/kernel/secrets.ts'
import type { Command, CommandResult } from '@caretaker/ports/process.ts'
import { OutputTail } from './output-tail.ts'
import { isGroupAlive } from './proc.ts'
import { spawnCommand } from './spawn.ts'

/** What {@link CommandResult} keeps of each output. */
const OUTPUT_LIMIT_BYTES = 1024 * 1024
/** From SIGTERM to SIGKILL. */
const GRACE_MS = 2000
/** How long an output may stay open after the program has ended, when something it left behind holds it. */
const OUTPUT_GRACE_MS = 2000

/** Runs a command to its end; see `run` of the Processes port. */
export async function runCommand(command: Command, signal?: AbortSignal): Promise<CommandResult> {
  if (signal?.aborted) throw cancelled(command)
  const startedMs = performance.now()
  const { onLine } = command
  const stdout = new OutputTail(OUTPUT_LIMIT_BYTES, onLine && ((line) => onLine(line, 'stdout')))
  const stderr = new OutputTail(OUTPUT_LIMIT_BYTES, onLine && ((line) => onLine(line, 'stderr')))
  let run: Run | undefined
  await spawnCommand(
    command,
    [command.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    (child, pid) => {
      run = new Run(child, pid)
      child.stdout?.on('data', (chunk: Buffer) => stdout.add(chunk))
      child.stderr?.on('data', (chunk: Buffer) => stderr.add(chunk))
      // A program may end without reading its input.
      child.stdin?.on('error', () => undefined)
      child.stdin?.end(command.input)
    },
  )
  if (!run) throw new Error('spawned without a process')
  const cause = await run.toEnd(command.timeoutMs, signal)
  const { exitCode, signalCode } = run.child
  const result = {
    exitCode: exitCode ?? undefined,
    signal: signalCode ?? undefined,
    timedOut: cause === 'timeout',
    stdout: stdout.end(),
    stderr: stderr.end(),
    durationMs: performance.now() - startedMs,
  }
  if (cause === 'abort') throw cancelled(command)
  return result
}

type Cause = 'timeout' | 'abort' | undefined

/** One running child that leads a process group. */
class Run {
  readonly child: ChildProcess
  readonly #pid: number
  readonly #exited: Promise<void>
  readonly #closed: Promise<void>

  constructor(child: ChildProcess, pid: number) {
    this.child = child
    this.#pid = pid
    this.#exited = new Promise((resolve) => child.once('exit', () => resolve()))
    this.#closed = new Promise((resolve) => child.once('close', () => resolve()))
  }

  /** Waits for the end, bringing it about after `timeoutMs` or by the signal, and says which of them it was. */
  async toEnd(timeoutMs: number | undefined, signal: AbortSignal | undefined): Promise<Cause> {
    const ended = new AbortController()
    const causes: Promise<Cause>[] = [this.#exited.then(() => undefined)]
    if (timeoutMs !== undefined) causes.push(quietly(timeoutMs, ended.signal).then(() => 'timeout'))
    if (signal) causes.push(fired(signal, ended.signal).then(() => 'abort'))
    const cause = await Promise.race(causes)
    ended.abort()
    if (cause) await this.#killGroup()
    await this.#exited
    await this.#closeOutputs()
    return cause
  }

  async #killGroup(): Promise<void> {
    killGroup(this.#pid, 'SIGTERM')
    const deadline = performance.now() + GRACE_MS
    while (performance.now() < deadline) {
      if (!(await isGroupAlive(this.#pid))) return
      await wait(25)
    }
    killGroup(this.#pid, 'SIGKILL')
  }

  async #closeOutputs(): Promise<void> {
    const closed = new AbortController()
    await Promise.race([this.#closed.then(() => closed.abort()), quietly(OUTPUT_GRACE_MS, closed.signal)])
    this.child.stdout?.destroy()
    this.child.stderr?.destroy()
  }
}

/** Signals every process of a group; a group that is gone is none. */
export function killGroup(groupId: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-groupId, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

async function quietly(ms: number, signal: AbortSignal): Promise<void> {
  await wait(ms, undefined, { signal }).catch(() => undefined)
}

function fired(signal: AbortSignal, until: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) =>
    signal.addEventListener('abort', () => resolve(), { once: true, signal: until }),
  )
}

function cancelled(command: Command): AppError {
  return new AppError('CANCELLED', {
    what: `"${redact([command.file, ...command.args].join(' '))}" was ended`,
    why: 'the operation it belongs to was cancelled',
    next: 'Run "caretaker operation list", then resume or undo the operation',
  })
}
