import { AppError } from '@caretaker/kernel/errors.ts'
import { HOUR_MS } from '@caretaker/kernel/time.ts'
import { defineStep } from '@caretaker/steps/step.ts'
import { readAppRecord, updateAppRecord } from '../app-records.ts'
import { loadRelease } from '../app-release.ts'
import type { Appliance } from '../appliance.ts'
import { isMigrationPending } from '../migrate.ts'
import type { PlacedRelease } from '../running-release.ts'
import { runSmoke } from '../smoke.ts'

type ProveInput = PlacedRelease & {
  /** The data is to stay as it is: a release that has something to migrate by now does not come so. */
  readonly stays?: boolean
  /** The command that does the update anew. */
  readonly again?: string
}

/** Runs the smoke test of a release that was started and is not served yet. */
export const releaseProve = (appliance: Appliance) =>
  defineStep<ProveInput, null>({
    kind: 'release.prove',
    describe: ({ app, releaseId }) => `Run the smoke test of ${app} (${releaseId}), if it has one`,
    async check({ app, releaseId }) {
      const record = await readAppRecord(appliance.ports.files, appliance.folders.apps, app)
      const isProved = record.updating?.to === releaseId && record.updating.proved === true
      return isProved || record.releaseId === releaseId
        ? { state: 'done' }
        : { state: 'needed', before: null }
    },
    async apply({ app, releaseId, slot, stays, again = `caretaker app update ${app}` }, _before, context) {
      const { ports, folders } = appliance
      await runSmoke(appliance, app, releaseId, { slot }, context)
      if (stays) await assertNothingToMigrate(appliance, { app, releaseId, slot }, again, context.signal)
      const { updating } = await readAppRecord(ports.files, folders.apps, app)
      if (!updating) throw new Error(`nothing is written down of the update of ${app}`)
      await updateAppRecord(ports.files, folders.apps, app, { updating: { ...updating, proved: true } })
    },
    undo: 'not-needed',
    timeoutMs: HOUR_MS,
  })

/** Data has gone on coming since the release was asked on a clone. */
async function assertNothingToMigrate(
  appliance: Appliance,
  { app, releaseId, slot }: PlacedRelease,
  again: string,
  signal: AbortSignal,
): Promise<void> {
  const { application } = await loadRelease(appliance, app, releaseId)
  if (!(await isMigrationPending(appliance, application, releaseId, { slot }, signal))) return
  throw new AppError('UPDATE_REFUSED', {
    what: `${app} does not change to ${application.version} without a migration`,
    why: 'it had nothing to migrate on the clone, and has by now: data has come meanwhile',
    next: `"${again}" asks it anew, and migrates`,
  })
}
