import type { TestAppliance } from '../support/appliance.ts'
import { eventually } from '../support/observe.ts'
import { processesOf } from '../writer/leftovers.ts'

/** Ends every process of an appliance whose state is thrown away next. */
export async function endAll(applianceId: string, { state }: Pick<TestAppliance, 'state'>): Promise<void> {
  const none = () => {
    const found = processesOf(applianceId, state)
    for (const { pid, words } of found) {
      try {
        // Postgres gives back what it shares with nobody else any more; then it is gone as after SIGKILL.
        process.kill(pid, /\bpostgres\b/.test(words) ? 'SIGQUIT' : 'SIGKILL')
      } catch {
        // It ended in this very moment.
      }
    }
    return found.length === 0
  }
  await eventually('the processes of the last case are gone', none)
}
