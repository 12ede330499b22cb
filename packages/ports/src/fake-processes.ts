import { AppError } from '@caretaker/kernel/errors.ts'
import type {
  Command,
  CommandResult,
  DetachedCommand,
  FoundProcess,
  MarkedProcess,
  ProcessExit,
  Processes,
  ProcessIdentity,
  ProcessLabel,
  StrayProcess,
} from './process.ts'
import { markOf } from './process-mark.ts'

type Result = Partial<CommandResult>
/** What running a program gives; "missing" when there is no such program. */
export type FakeAnswer = 'missing' | Result | ((command: Command) => Result | Promise<Result>)

interface FakeProcess {
  readonly identity: ProcessIdentity
  readonly label: ProcessLabel
  readonly command: DetachedCommand | undefined
  readonly ended: PromiseWithResolvers<ProcessExit>
  exit: ProcessExit | undefined
}

const DEADLY: readonly NodeJS.Signals[] = ['SIGTERM', 'SIGINT', 'SIGQUIT', 'SIGHUP', 'SIGKILL']
const UNKNOWN_EXIT: ProcessExit = { exitCode: undefined, signal: undefined }

/**
 * Processes that only a test moves. What was run and started stands in `commands`, what was signalled in `signals`.
 * A program without an answer succeeds and says nothing; a started one runs until {@link FakeProcesses.exit} or a signal.
 */
export class FakeProcesses implements Processes {
  readonly commands: (Command | DetachedCommand)[] = []
  readonly signals: { readonly pid: number; readonly signal: NodeJS.Signals }[] = []
  readonly bootId = 'fake-boot'
  readonly #answers = new Map<string, FakeAnswer>()
  readonly #stubborn = new Set<string>()
  readonly #processes = new Map<number, FakeProcess>()
  #lastPid = 100

  /** Scripts what a program answers from now on. */
  on(file: string, answer: FakeAnswer): this {
    this.#answers.set(file, answer)
    return this
  }

  /** From now on only SIGKILL ends what is started from this program. */
  ignoresSignals(file: string): this {
    this.#stubborn.add(file)
    return this
  }

  /** A started process ends by itself. */
  exit(pid: number, exit: Partial<ProcessExit> = { exitCode: 0 }): void {
    const found = this.#processes.get(pid)
    if (!found || found.exit) throw new Error(`no process ${pid} runs`)
    found.exit = { ...UNKNOWN_EXIT, ...exit }
    found.ended.resolve(found.command ? found.exit : UNKNOWN_EXIT)
  }

  /** A process that runs already and was started by another program, as an earlier daemon. */
  startedElsewhere(label: ProcessLabel): ProcessIdentity {
    return this.#add(label, undefined)
  }

  async run(command: Command, signal?: AbortSignal): Promise<CommandResult> {
    if (signal?.aborted) throw cancelled(command.file)
    this.commands.push(command)
    const answer = this.#answers.get(command.file) ?? {}
    if (answer === 'missing') throw missing(command.file)
    const given = typeof answer === 'function' ? answer(command) : answer
    const result = await orCancelled(Promise.resolve(given), command.file, signal)
    const { stdout = '', stderr = '' } = result
    for (const [from, text] of [['stdout', stdout] as const, ['stderr', stderr] as const])
      for (const line of text.split('\n')) if (line !== '') command.onLine?.(line, from)
    const exitCode = 'signal' in result ? undefined : 0
    return { exitCode, signal: undefined, timedOut: false, durationMs: 1, ...result, stdout, stderr }
  }

  async start(command: DetachedCommand): Promise<ProcessIdentity> {
    this.commands.push(command)
    if (this.#answers.get(command.file) === 'missing') throw missing(command.file)
    return this.#add(command.label, command)
  }

  async isAlive(identity: ProcessIdentity): Promise<boolean> {
    return this.#find(identity)?.exit === undefined && this.#find(identity) !== undefined
  }

  async waitForExit(identity: ProcessIdentity, signal?: AbortSignal): Promise<ProcessExit> {
    const ended = this.#find(identity)?.ended.promise ?? Promise.resolve(UNKNOWN_EXIT)
    return orCancelled(ended, `process ${identity.pid}`, signal)
  }

  async signal(identity: ProcessIdentity, signal: NodeJS.Signals): Promise<void> {
    const found = this.#find(identity)
    if (!found || found.exit) return
    this.signals.push({ pid: identity.pid, signal })
    const isStubborn = found.command !== undefined && this.#stubborn.has(found.command.file)
    if (signal === 'SIGKILL' || (DEADLY.includes(signal) && !isStubborn)) {
      this.exit(identity.pid, { exitCode: undefined, signal })
    }
  }

  async findByLabel(appliance: string): Promise<readonly FoundProcess[]> {
    return [...this.#processes.values()]
      .filter((entry) => entry.exit === undefined && entry.label.appliance === appliance)
      .map(({ identity, label }) => ({ identity, label }))
  }

  async findMarked(): Promise<readonly MarkedProcess[]> {
    return [...this.#processes.values()]
      .filter(({ exit, command }) => exit === undefined && command !== undefined)
      .map(({ identity, label, command }) => ({
        identity,
        name: command?.file.split('/').at(-1)?.slice(0, 15) ?? '',
        mark: markOf(label),
      }))
  }

  /** No process of the fake starts others. */
  async findStrays(): Promise<readonly StrayProcess[]> {
    return []
  }

  #add(label: ProcessLabel, command: DetachedCommand | undefined): ProcessIdentity {
    const pid = ++this.#lastPid
    const identity = { pid, startTicks: pid * 10, bootId: this.bootId }
    const ended = Promise.withResolvers<ProcessExit>()
    this.#processes.set(pid, { identity, label, command, ended, exit: undefined })
    return identity
  }

  #find(identity: ProcessIdentity): FakeProcess | undefined {
    const found = this.#processes.get(identity.pid)
    const isSame =
      found?.identity.startTicks === identity.startTicks && found.identity.bootId === identity.bootId
    return isSame ? found : undefined
  }
}

function missing(file: string): AppError {
  return new AppError('COMMAND_NOT_FOUND', {
    what: `"${file}" could not be run`,
    why: 'there is no such program',
    next: `Install "${file}", then repeat the command`,
  })
}

function cancelled(what: string): AppError {
  return new AppError('CANCELLED', {
    what: `"${what}" was ended`,
    why: 'it was cancelled',
    next: 'Repeat it',
  })
}

function orCancelled<T>(work: Promise<T>, what: string, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return work
  if (signal.aborted) return Promise.reject(cancelled(what))
  return new Promise((resolve, reject) => {
    signal.addEventListener('abort', () => reject(cancelled(what)), { once: true })
    work.then(resolve, reject)
  })
}
