import { MINUTE_MS } from '@caretaker/kernel/time.ts'
import { defineStep } from '@caretaker/steps/step.ts'
import type { Appliance } from '../appliance.ts'
import { assertStorage } from '../check-storage.ts'
import { updateFacts } from '../facts.ts'

/**
 * Makes sure that the data volume is this appliance's own and whole. Only a first start writes on an empty one.
 */
export const storagePrepare = (appliance: Appliance) =>
  defineStep<{ readonly firstStart: boolean }, null>({
    kind: 'storage.prepare',
    describe: ({ firstStart }) =>
      firstStart
        ? `Take ${appliance.folders.data} as the data volume of this appliance (first start: it is absent or empty)`
        : `Check the data volume ${appliance.folders.data}`,
    async check({ firstStart }) {
      const identity = await assertStorage(appliance, firstStart)
      const clean = identity.state === 'ours' && (await appliance.storage.leftovers()).length === 0
      return clean ? { state: 'done' } : { state: 'needed', before: null }
    },
    async apply({ firstStart }, _before, { progress }) {
      const { ports, config, folders, stateFolder } = appliance
      await assertStorage(appliance, firstStart)
      if (firstStart) await appliance.storage.initialise(config.id)
      for (const leftover of await appliance.storage.repair()) progress(`${leftover.action} ${leftover.path}`)
      await ports.files.makeFolder(folders.volatile, 0o711)
      await updateFacts(ports.files, stateFolder, () => ({ startedBefore: true }))
    },
    undo: 'not-needed',
    timeoutMs: 30 * MINUTE_MS,
  })
