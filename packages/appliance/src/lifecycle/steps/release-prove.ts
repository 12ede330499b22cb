import { HOUR_MS } from '@caretaker/kernel/time.ts'
import { defineStep } from '@caretaker/steps/step.ts'
import { readAppRecord, updateAppRecord } from '../app-records.ts'
import type { Appliance } from '../appliance.ts'
import type { PlacedRelease } from '../running-release.ts'
import { runSmoke } from '../smoke.ts'

/** Runs the smoke test of a release that was started and is not served yet. */
export const releaseProve = (appliance: Appliance) =>
  defineStep<PlacedRelease, null>({
    kind: 'release.prove',
    describe: ({ app, releaseId }) => `Run the smoke test of ${app} (${releaseId}), if it has one`,
    async check({ app, releaseId }) {
      const record = await readAppRecord(appliance.ports.files, appliance.folders.apps, app)
      const isProved = record.updating?.to === releaseId && record.updating.proved === true
      return isProved || record.releaseId === releaseId
        ? { state: 'done' }
        : { state: 'needed', before: null }
    },
    async apply({ app, releaseId, slot }, _before, context) {
      const { ports, folders } = appliance
      await runSmoke(appliance, app, releaseId, { slot }, context)
      const { updating } = await readAppRecord(ports.files, folders.apps, app)
      if (!updating) throw new Error(`nothing is written down of the update of ${app}`)
      await updateAppRecord(ports.files, folders.apps, app, { updating: { ...updating, proved: true } })
    },
    undo: 'not-needed',
    timeoutMs: HOUR_MS,
  })
