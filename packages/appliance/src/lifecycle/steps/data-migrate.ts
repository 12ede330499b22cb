import { HOUR_MS } from '@caretaker/kernel/time.ts'
import { lastLines } from '@caretaker/ports/command.ts'
import { defineStep } from '@caretaker/steps/step.ts'
import { readAppRecord, updateAppRecord } from '../app-records.ts'
import type { Appliance } from '../appliance.ts'
import { keepLogs } from '../keep-logs.ts'
import { migrate } from '../migrate.ts'
import { revertData } from '../revert-data.ts'
import type { PlacedRelease } from '../running-release.ts'
import { wholeRelease } from '../whole-release.ts'

type MigrateInput = PlacedRelease & {
  /** To go back to. */
  readonly snapshot: string
  /** Name of the snapshot that keeps what a failed migration has made of the data. */
  readonly failedAs: string
}

/** Lines of what a migration said that go into the history. */
const SAID_LINES = 20

/** Migrates database and files for a new release. On the way back they are switched to the snapshot from before. */
export const dataMigrate = (appliance: Appliance) =>
  defineStep<MigrateInput, null>({
    kind: 'data.migrate',
    describe: ({ app, releaseId }) => `Migrate the data of ${app} for ${releaseId}`,
    async check({ app, releaseId }) {
      const record = await readAppRecord(appliance.ports.files, appliance.folders.apps, app)
      const isDone = record.updating?.to === releaseId && record.updating.migrated !== undefined
      return isDone || record.releaseId === releaseId ? { state: 'done' } : { state: 'needed', before: null }
    },
    async apply({ app, releaseId, slot }, _before, context) {
      const { ports, folders } = appliance
      const { signal, progress } = context
      const { application } = await wholeRelease(appliance, { app, releaseId }, context)
      const said = await migrate(appliance, application, releaseId, { slot, onLine: progress }, signal)
      const { updating } = await readAppRecord(ports.files, folders.apps, app)
      if (!updating) throw new Error(`nothing is written down of the update of ${app}`)
      const lines = lastLines(said, SAID_LINES).split('\n').filter(Boolean)
      await updateAppRecord(ports.files, folders.apps, app, { updating: { ...updating, migrated: lines } })
    },
    async undo({ app, releaseId, snapshot, failedAs }, _before, context) {
      await appliance.storage.releaseRoom(app)
      await keepLogs(appliance, app, failedAs)
      const to = { app, releaseId, snapshot, keepAs: failedAs, kind: 'failed' } as const
      await revertData(appliance, to, context)
    },
    timeoutMs: 25 * HOUR_MS,
  })
