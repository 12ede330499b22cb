import type { MaybeSecret } from '@caretaker/kernel/secrets.ts'
import type { Owner } from './files.ts'

export type OutputStream = 'stdout' | 'stderr'

/**
 * What we tell another program: a value, never a shell string. The environment is exactly `env`, nothing is inherited.
 */
export interface Command {
  /** Absolute path, or a name looked up in the PATH of `env`. */
  readonly file: string
  readonly args: readonly string[]
  readonly env?: Readonly<Record<string, MaybeSecret>>
  readonly cwd?: string
  /** Run as this user; only root can. */
  readonly owner?: Owner
  /** After this the whole process group is killed. Default: no limit. */
  readonly timeoutMs?: number
  readonly input?: string | Uint8Array
  /** Every output line as it comes, for progress and logs. */
  readonly onLine?: (line: string, from: OutputStream) => void
  /** It and all that it starts are found again by it: in their environment, and by their mark without one. */
  readonly label?: ProcessLabel
}

/** Outputs are kept up to 1 MiB each: the last part counts. */
export interface CommandResult {
  /** Undefined when a signal ended it. */
  readonly exitCode: number | undefined
  readonly signal: string | undefined
  readonly timedOut: boolean
  readonly stdout: string
  readonly stderr: string
  readonly durationMs: number
}

/** A process that outlives the one that started it. A pid alone is not an identity: pids are used again. */
export interface ProcessIdentity {
  readonly pid: number
  /** Start time in clock ticks since boot, field 22 of /proc/PID/stat. */
  readonly startTicks: number
  readonly bootId: string
}

export interface DetachedCommand extends Omit<Command, 'timeoutMs' | 'input' | 'onLine'> {
  /** Standard output and error are appended to this file. */
  readonly logFile: string
  /** Put into the environment, so that the process is found again when its record is lost. */
  readonly label: ProcessLabel
  /** The program starts the one that is meant as its only child, waits for it and ends as it does: that child is started. */
  readonly forks?: boolean
}

/** Label of a process we started, carried in its environment as CARETAKER_LABEL. */
export interface ProcessLabel {
  readonly appliance: string
  /** Application name, or "-" for parts of the appliance itself. */
  readonly app: string
  readonly service: string
  /** Which state folder remembers it: a copy of one has the same appliance. */
  readonly place?: string
}

export interface FoundProcess {
  readonly identity: ProcessIdentity
  readonly label: ProcessLabel
}

/** A process that descends from what was started with a label, whatever it has done to its environment and parents. */
export interface MarkedProcess {
  readonly identity: ProcessIdentity
  /** Name of its program, at most 15 characters. */
  readonly name: string
  /** What `markOf` gives for the label. */
  readonly mark: bigint
}

/** A process that carries no label, that none of whose parents does, and whose starter has ended. */
export interface StrayProcess {
  readonly identity: ProcessIdentity
  /** Name of its program, at most 15 characters. */
  readonly name: string
}

export interface ProcessExit {
  readonly exitCode: number | undefined
  readonly signal: string | undefined
}

export interface Processes {
  /**
   * Runs a command to its end.
   * @throws AppError COMMAND_NOT_FOUND when there is no such program, CANCELLED when `signal` fires (the group is killed).
   */
  run(command: Command, signal?: AbortSignal): Promise<CommandResult>
  /**
   * Starts a process in a session of its own that outlives this one.
   * @throws AppError COMMAND_NOT_FOUND
   */
  start(command: DetachedCommand): Promise<ProcessIdentity>
  isAlive(identity: ProcessIdentity): Promise<boolean>
  /**
   * Resolves when the process has ended; exit code and signal are known for own children only.
   * @throws AppError CANCELLED when `signal` fires first; the process lives on.
   */
  waitForExit(identity: ProcessIdentity, signal?: AbortSignal): Promise<ProcessExit>
  /** Signals the whole process group; nothing happens when the process is gone. */
  signal(identity: ProcessIdentity, signal: NodeJS.Signals): Promise<void>
  /** Living processes with the label of this appliance, whoever started them. Includes children that inherited it. */
  findByLabel(appliance: string): Promise<readonly FoundProcess[]>
  /**
   * Living processes that descend from any that was started with a label, of whatever appliance. None on a machine that
   * has no way to mark them: there what carries its label is found by that alone.
   */
  findMarked(): Promise<readonly MarkedProcess[]>
  /**
   * Living processes of this user that have thrown their label away: started by a service with an environment of its
   * own, and left behind by it.
   */
  findStrays(uid: number): Promise<readonly StrayProcess[]>
}
