import { MINUTE_MS } from '@caretaker/kernel/time.ts'
import { defineStep } from '@caretaker/steps/step.ts'
import type { Surrounding } from '../../lifecycle/appliance.ts'
import { anythingRuns, stopEverything } from '../../lifecycle/stop-everything.ts'
import { SERVICE_UNIT, UNITS } from '../places.ts'
import { runSystemctl, unitProperties } from '../systemd.ts'

/** Ends the daemon, then applications, Postgres and gateway in order. The next daemon starts them again. */
export const uninstallStop = (around: Surrounding) =>
  defineStep<null, null>({
    kind: 'uninstall.stop',
    describe: () => 'Stop the daemon, then the applications, their Postgres and the gateway',
    async check() {
      const states = await Promise.all(
        UNITS.map((unit) => unitProperties(around.ports, unit, ['ActiveState'])),
      )
      const isQuiet = states.every(({ ActiveState }) => ActiveState === 'inactive')
      return isQuiet && !(await anythingRuns(around)) ? { state: 'done' } : { state: 'needed', before: null }
    },
    async apply(_input, _before, { signal }) {
      await runSystemctl(around.ports, ['stop', SERVICE_UNIT], signal)
      await stopEverything(around, undefined)
      await runSystemctl(around.ports, ['stop', ...UNITS], signal)
      // One that was ended hard is "failed", and would be known for ever.
      await around.ports.processes.run({
        file: 'systemctl',
        args: ['reset-failed', ...UNITS],
        env: { PATH: '/usr/bin:/bin' },
      })
    },
    undo: async () => runSystemctl(around.ports, ['start', ...UNITS]),
    timeoutMs: 20 * MINUTE_MS,
  })
