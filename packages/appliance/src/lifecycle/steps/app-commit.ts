import { MINUTE_MS } from '@caretaker/kernel/time.ts'
import { defineStep } from '@caretaker/steps/step.ts'
import { readAppRecord, updateAppRecord } from '../app-records.ts'
import { loadRelease } from '../app-release.ts'
import type { Appliance } from '../appliance.ts'
import { appendHistory, contentsOf, instantName } from '../release-history.ts'
import { runSmoke } from '../smoke.ts'
import type { ReleaseInput } from './release-prepare.ts'

/**
 * Runs the smoke test of a release that was started, and only when it passes records durably that this is the
 * release that runs.
 */
export const appCommit = (appliance: Appliance) =>
  defineStep<ReleaseInput, null>({
    kind: 'app.commit',
    describe: ({ app, releaseId }) =>
      `Run the smoke test of ${app}, if it has one, and record ${releaseId} as the release that runs`,
    async check({ app, releaseId }) {
      const record = await readAppRecord(appliance.ports.files, appliance.folders.apps, app)
      return record.releaseId === releaseId && !record.stopped
        ? { state: 'done' }
        : { state: 'needed', before: null }
    },
    async apply({ app, releaseId }, _before, context) {
      const { ports, folders } = appliance
      const { release } = await loadRelease(appliance, app, releaseId)
      await runSmoke(appliance, app, releaseId, {}, context)
      const before = await readAppRecord(ports.files, folders.apps, app)
      const now = ports.clock.now()
      if (before.releaseId === undefined) {
        await appendHistory(appliance, app, {
          id: instantName(now),
          at: now.toISOString(),
          kind: 'start',
          release: releaseId,
          from: null,
          ...(await contentsOf(appliance, release)),
          migrated: false,
          migration_log: [],
          snapshot: null,
          ...appliance.actor,
          duration_ms: 0,
        })
      }
      await updateAppRecord(ports.files, folders.apps, app, {
        releaseId,
        pinned: { source: release.source, pin: release.pin },
        since: now.toISOString(),
        stopped: false,
      })
    },
    undo: 'not-needed',
    timeoutMs: 30 * MINUTE_MS,
  })
