import type { Appliance } from '@caretaker/appliance/lifecycle/appliance.ts'
import type { PartProblem } from '@caretaker/appliance/lifecycle/appliance-state.ts'
import { observeState } from '@caretaker/appliance/lifecycle/observe.ts'
import { seenProblems } from '@caretaker/appliance/lifecycle/problems.ts'
import type { DaemonLog } from './daemon-log.ts'

/** Writes every change of the state to the log of the daemon, in the words of `status` and of the service page. */
export class StateLog {
  readonly #log: DaemonLog
  #last = ''

  constructor(log: DaemonLog) {
    this.#log = log
  }

  /** Looks at the state, and logs it when it is another one. `known` are problems that the daemon has met itself. */
  async look(appliance: Appliance, known: readonly PartProblem[]): Promise<void> {
    const problems = await seenProblems(appliance, appliance.pid)
    const { state, code, reason, next, until, parts } = await observeState(appliance, [...known, ...problems])
    const short = parts.map((part) => [part.part, part.code])
    // What merely counts on, as free space, is no other state.
    const now = JSON.stringify([state, code, until, short])
    if (now === this.#last) return
    this.#last = now
    await this.#log.info(`state: ${state}`, {
      code,
      ...(reason === '' ? {} : { reason }),
      ...(next === '' ? {} : { next }),
      ...(until === undefined ? {} : { until }),
      ...(short.length > 1 ? { parts: short.map((pair) => pair.join(': ')) } : {}),
    })
  }
}
