import { MINUTE_MS } from '@caretaker/kernel/time.ts'
import { defineStep } from '@caretaker/steps/step.ts'
import { readAppRecord, type Updating, updateAppRecord } from '../app-records.ts'
import type { Appliance } from '../appliance.ts'
import { refreshGateway } from '../refresh-gateway.ts'
import { withdrawHistory } from '../release-history.ts'

/** Name of the snapshot that a change takes before its migration. */
export const snapshotBefore = ({ id }: Pick<Updating, 'id'>) => `pre-migrate-${id}`

export type BeginInput = { readonly app: string; readonly updating: never }

/**
 * Writes down that the release of an application is being changed. From here to the commit nothing else starts it: its
 * data may be half migrated.
 */
export const updateBegin = (appliance: Appliance) =>
  defineStep<BeginInput, null>({
    kind: 'update.begin',
    describe: ({ app, updating }) => {
      const { fromVersion, toVersion } = updating as Updating
      return `Write down that ${app} goes from ${fromVersion} to ${toVersion}`
    },
    async check({ app, updating }) {
      const { updating: known } = await readAppRecord(appliance.ports.files, appliance.folders.apps, app)
      if (known?.id === (updating as Updating).id) return { state: 'done' }
      if (!known) return { state: 'needed', before: null }
      return {
        state: 'blocked',
        why: `the change from ${known.fromVersion} to ${known.toVersion} is unfinished`,
        next: '"caretaker operation list" names it; "caretaker operation undo ID" tries to take it back',
      }
    },
    async apply({ app, updating }) {
      await updateAppRecord(appliance.ports.files, appliance.folders.apps, app, { updating })
      // Who waits too long is told why.
      await refreshGateway(appliance).catch(() => undefined)
    },
    async undo({ app, updating }) {
      // The old release has proved itself on data that is the same.
      if (await appliance.storage.hasUnit(app))
        await appliance.storage.removeSnapshot(app, snapshotBefore(updating))
      const { files, clock } = appliance.ports
      const { id, kind, to: releaseId, toVersion: version } = updating as Updating
      // It may have been written down right before the commit.
      await withdrawHistory(appliance, app, id)
      const at = clock.now().toISOString()
      const takenBack = { releaseId, version, at, why: 'its update was taken back', byItself: false }
      await updateAppRecord(files, appliance.folders.apps, app, {
        updating: undefined,
        ...(kind === 'update' ? { takenBack } : {}),
      })
      await refreshGateway(appliance).catch(() => undefined)
    },
    timeoutMs: MINUTE_MS,
  })
