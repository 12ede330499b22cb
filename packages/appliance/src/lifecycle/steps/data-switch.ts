import { HOUR_MS } from '@caretaker/kernel/time.ts'
import { defineStep } from '@caretaker/steps/step.ts'
import { readAppRecord, updateAppRecord } from '../app-records.ts'
import type { Appliance } from '../appliance.ts'
import { revertData } from '../revert-data.ts'

type SwitchInput = {
  readonly app: string
  readonly releaseId: string
  /** What becomes current. */
  readonly snapshot: string
  /** Name of the snapshot that keeps what is current now. */
  readonly keepAs: string
  /** Name of the snapshot that keeps what became current, when it is taken back. */
  readonly failedAs: string
}

/** Database and files go back to a snapshot; what was there is kept, and comes back on the way back. */
export const dataSwitch = (appliance: Appliance) =>
  defineStep<SwitchInput, null>({
    kind: 'data.switch',
    describe: ({ app, snapshot, keepAs }) =>
      `Switch database and files of ${app} to the snapshot ${snapshot}; what is there now is kept as ${keepAs}`,
    async check({ app, keepAs }) {
      const known = await appliance.storage.findSnapshot(app, keepAs)
      const { kept = [] } = await readAppRecord(appliance.ports.files, appliance.folders.apps, app)
      const isDone = known?.state === 'complete' && kept.some((entry) => entry.snapshot === keepAs)
      return isDone ? { state: 'done' } : { state: 'needed', before: null }
    },
    async apply({ app, releaseId, snapshot, keepAs }, _before, context) {
      await revertData(appliance, { app, releaseId, snapshot, keepAs, kind: 'before-rollback' }, context)
    },
    async undo({ app, releaseId, keepAs, failedAs }, _before, context) {
      if (!(await appliance.storage.findSnapshot(app, keepAs))) return
      await revertData(
        appliance,
        { app, releaseId, snapshot: keepAs, keepAs: failedAs, kind: 'failed' },
        context,
      )
      // What is current again needs no second copy.
      const { kept = [] } = await readAppRecord(appliance.ports.files, appliance.folders.apps, app)
      const until = appliance.ports.clock.now().toISOString()
      await updateAppRecord(appliance.ports.files, appliance.folders.apps, app, {
        kept: kept.map((entry) => (entry.snapshot === keepAs ? { ...entry, until } : entry)),
      })
    },
    timeoutMs: 2 * HOUR_MS,
  })
