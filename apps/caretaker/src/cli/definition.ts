import type { Programs } from '@caretaker/appliance/lifecycle/appliance.ts'
import type { ErrorReport } from '@caretaker/kernel/errors.ts'
import type { ExitCode } from '@caretaker/kernel/exit-codes.ts'
import type { Ports } from '@caretaker/ports/ports.ts'
import type { OutputStream } from '@caretaker/ports/process.ts'
import type { BallastUse } from '@caretaker/ports/with-ballast.ts'
import type { EmitEvent } from '@caretaker/steps/events.ts'
import type { Actor } from '@caretaker/steps/journal-records.ts'
import type { Style } from './style.ts'

/** Where this run of caretaker finds its things. Paths are absolute. */
export interface Places {
  readonly stateFolder: string
  /** Named by --config or $CARETAKER_CONFIG; undefined: the usual places are looked at. */
  readonly configFile: string | undefined
  readonly programs: Programs
}

/** What a handler gets. */
export interface Call {
  readonly ports: Ports
  readonly places: Places
  readonly actor: Actor
  readonly pid: number
  /** Folder the person stands in: relative paths on the command line start here. */
  readonly workingFolder: string
  readonly arguments: readonly string[]
  readonly options: Readonly<Record<string, unknown>>
  readonly emit: EmitEvent
  /** Passes on a line that a program of an application wrote. */
  readonly output: (line: string, from: OutputStream) => void
  /** Fires on Ctrl-C. */
  readonly signal: AbortSignal
  /** What systemd told this process in its environment; undefined when it runs under something else. */
  readonly supervision?: Supervision
}

/** See sd_notify(3) and sd_watchdog_enabled(3). */
export interface Supervision {
  /** Where the state of the service is told. */
  readonly notifySocket: string
  /** The longest silence, in ms; undefined when nobody minds. */
  readonly watchdogMs: number | undefined
}

export interface Answer {
  /** Plain JSON, as documented by `output`. */
  readonly data: unknown
  readonly exitCode?: ExitCode
}

export interface ArgumentDefinition {
  readonly name: string
  readonly description: string
  readonly optional?: boolean
  readonly variadic?: boolean
}

export interface OptionDefinition {
  /** As commander takes it: `--dry-run`, `--lines <count>`. */
  readonly flags: string
  readonly description: string
  readonly default?: string
}

/** One top-level field of the document that `--json` prints. */
export type FieldDoc = readonly [name: string, type: string, meaning: string]

/**
 * One command. The file that holds it is small: what is heavy is imported by the handler, so that the command line
 * starts fast.
 */
export interface CommandDefinition {
  /** As typed, `app add`. */
  readonly name: string
  readonly summary: string
  readonly details?: string
  readonly arguments?: readonly ArgumentDefinition[]
  readonly options?: readonly OptionDefinition[]
  readonly examples: readonly (readonly [command: string, what: string])[]
  /** The top-level fields of the document that `--json` prints; all of them are always there. */
  readonly output: readonly FieldDoc[]
  /** The same with `--dry-run`. */
  readonly dryRunOutput?: readonly FieldDoc[]
  /**
   * `here`: this process does it. `daemon`: the daemon does it when one runs, so that there is one actor;
   * otherwise this process.
   */
  readonly runs: 'here' | 'daemon'
  /** How much ballast of the state folder it may use on a full disk. Default: none. */
  readonly ballast?: BallastUse
  readonly hidden?: boolean
  handler(call: Call): Promise<Answer>
  /** The answer as text, for standard output. Gets what the handler gave, as JSON. Empty: nothing is printed. */
  render(data: never, style: Style): string
  /** What went wrong although there is an answer; goes to standard error. */
  problems?(data: never): readonly ErrorReport[]
}
