import type { Ports } from '@caretaker/ports/ports.ts'
import type { OutputStream } from '@caretaker/ports/process.ts'
import type { Actor } from '@caretaker/steps/journal-records.ts'
import type { Schedule } from './schedule.ts'

/** Passes on a line of what a job says while it runs. */
export type JobOutput = (line: string, from: OutputStream) => void

/** An operation on a schedule. */
export interface Job {
  /** `certificates`, or `APP.JOB` for a job of an application. */
  readonly name: string
  /** The application it belongs to; undefined: the appliance itself. */
  readonly app: string | undefined
  readonly schedule: Schedule
  /** What happens when it was due while the appliance was off: caught up once, or not at all. */
  readonly missed: 'once' | 'skip'
  readonly timeoutMs: number
  /** Whether there is something for it to do now, whatever its schedule says. Looked at every little while. */
  wakes?(): Promise<boolean>
  /** Why it does not run in the present state; undefined when it does. */
  refusal(): Promise<string | undefined>
  /**
   * Does the work, under the lock of operations. Gives the exit code of the program it ran, if it ran one.
   * @throws when it failed; ends soon after `signal` fires.
   */
  work(output: JobOutput, signal: AbortSignal): Promise<number | undefined>
}

/** What running a job needs to know of where it runs. */
export interface JobSurrounding {
  readonly ports: Pick<Ports, 'files' | 'clock' | 'locks'>
  readonly stateFolder: string
  readonly actor: Actor
  readonly pid: number
}
