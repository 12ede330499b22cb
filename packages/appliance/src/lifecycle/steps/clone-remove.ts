import { HOUR_MS } from '@caretaker/kernel/time.ts'
import { defineStep } from '@caretaker/steps/step.ts'
import type { Appliance } from '../appliance.ts'
import { readClone } from '../clone-records.ts'
import { removeClone } from '../remove-clone.ts'

/** Ends a clone. Does not mind if it is gone. */
export const cloneRemove = (appliance: Appliance) =>
  defineStep<{ readonly clone: string }, null>({
    kind: 'clone.remove',
    describe: ({ clone }) => `Stop the clone ${clone} and delete its database, files and logs`,
    async check({ clone }) {
      return (await readClone(appliance.ports.files, appliance.stateFolder, clone))
        ? { state: 'needed', before: null }
        : { state: 'done' }
    },
    apply: async ({ clone }) => removeClone(appliance, clone),
    undo: 'not-needed',
    timeoutMs: HOUR_MS,
  })
