import { HOUR_MS, MINUTE_MS } from '@caretaker/kernel/time.ts'
import { defineStep } from '@caretaker/steps/step.ts'
import { adminAddress, POSTGRES_SERVICE, startDatabase } from '../app-database.ts'
import { readAppRecord } from '../app-records.ts'
import type { Appliance } from '../appliance.ts'

type SnapshotInput = { readonly app: string; readonly snapshot: string }

/**
 * One snapshot of database and files while nothing writes. Where the back end copies, Postgres stands still meanwhile;
 * else it has written down what it has (CHECKPOINT), so that what is started from it is soon up.
 */
export const snapshotTake = (appliance: Appliance) =>
  defineStep<SnapshotInput, null>({
    kind: 'snapshot.take',
    describe: ({ app, snapshot }) =>
      appliance.storage.instant
        ? `Take the snapshot ${snapshot} of database and files of ${app}`
        : `Take the snapshot ${snapshot} of database and files of ${app}: they are copied, Postgres stands still meanwhile`,
    async check({ app, snapshot }) {
      const known = await appliance.storage.findSnapshot(app, snapshot)
      return known?.state === 'complete' ? { state: 'done' } : { state: 'needed', before: null }
    },
    async apply({ app, snapshot }, _before, { signal }) {
      const { storage, runtime } = appliance
      await runtime.endStrays(app)
      const hasDatabase = (await runtime.status(app, POSTGRES_SERVICE))?.state === 'running'
      if (hasDatabase) await checkpoint(appliance, app)
      if (storage.instant) return storage.snapshot(app, snapshot)
      if (hasDatabase) await runtime.stop(app, POSTGRES_SERVICE)
      await storage.snapshot(app, snapshot)
      const { databaseCreated } = await readAppRecord(appliance.ports.files, appliance.folders.apps, app)
      if (hasDatabase && databaseCreated) await startDatabase(appliance, app, signal)
    },
    undo: 'not-needed',
    timeoutMs: 12 * HOUR_MS,
  })

async function checkpoint(appliance: Appliance, app: string): Promise<void> {
  const address = await adminAddress(appliance, app)
  await appliance.ports.databases.withSession(address, { timeoutMs: 10 * MINUTE_MS }, (session) =>
    session.query('CHECKPOINT'),
  )
}
