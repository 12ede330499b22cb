import { HOUR_MS } from '@caretaker/kernel/time.ts'
import { defineStep } from '@caretaker/steps/step.ts'
import { POSTGRES_SERVICE } from '../app-database.ts'
import { readAppRecord } from '../app-records.ts'
import { loadRelease } from '../app-release.ts'
import type { Appliance } from '../appliance.ts'
import { isMigrationPending, migrate } from '../migrate.ts'
import type { ReleaseInput } from './release-prepare.ts'

/**
 * Brings the database and files of an application to what its release needs. What a migration did is not taken back
 * by this step: it is the point of no return of a first start.
 */
export const appMigrate = (appliance: Appliance) =>
  defineStep<ReleaseInput, null>({
    kind: 'app.migrate',
    describe: ({ app, releaseId }) => `Migrate the data of ${app} for ${releaseId}`,
    async check({ app, releaseId }, { signal }) {
      const loaded = await loadRelease(appliance, app, releaseId).catch(() => undefined)
      if (!loaded) return { state: 'needed', before: null }
      if (await isCommitted(appliance, app, releaseId)) return { state: 'done' }
      if (
        (await appliance.runtime.status(app, POSTGRES_SERVICE))?.state !== 'running' &&
        loaded.application.database
      ) {
        return { state: 'needed', before: null }
      }
      return (await isMigrationPending(appliance, loaded.application, releaseId, {}, signal))
        ? { state: 'needed', before: null }
        : { state: 'done' }
    },
    async apply({ app, releaseId }, _before, { signal, progress }) {
      const { application } = await loadRelease(appliance, app, releaseId)
      await migrate(appliance, application, releaseId, { onLine: progress }, signal)
    },
    undo: 'impossible',
    timeoutMs: 24 * HOUR_MS,
  })

/** A release that was committed has migrated: its check is not run at every `up`. */
async function isCommitted(appliance: Appliance, app: string, releaseId: string): Promise<boolean> {
  return (await readAppRecord(appliance.ports.files, appliance.folders.apps, app)).releaseId === releaseId
}
