import { join } from 'node:path'
import { HOUR_MS } from '@caretaker/kernel/time.ts'
import { defineStep } from '@caretaker/steps/step.ts'
import { releasesFolder } from '../../release/release.ts'
import { appFolders } from '../app-files.ts'
import { listAppRecords, removeAppRecord, updateAppRecord } from '../app-records.ts'
import type { Appliance } from '../appliance.ts'
import { clearFailure, updateFacts } from '../facts.ts'
import { removeRehearsals } from '../rehearsals.ts'
import { removeHistory } from '../release-history.ts'

/** Deletes database, files and snapshots of an application. */
export const unitRemove = (appliance: Appliance) =>
  defineStep<{ readonly app: string }, null>({
    kind: 'unit.remove',
    describe: ({ app }) => `Delete the database, the files and all snapshots of ${app}`,
    async check({ app }) {
      return (await appliance.storage.hasUnit(app)) ? { state: 'needed', before: null } : { state: 'done' }
    },
    async apply({ app }) {
      await appliance.storage.removeUnit(app)
      await updateAppRecord(appliance.ports.files, appliance.folders.apps, app, {
        databaseCreated: false,
        releaseId: undefined,
        pinned: undefined,
        completed: {},
      })
    },
    undo: 'impossible',
    timeoutMs: HOUR_MS,
  })

/** Removes what this machine keeps of an application besides its data: releases, caches, logs, records. */
export const appForget = (appliance: Appliance) =>
  defineStep<{ readonly app: string; readonly withData: boolean }, null>({
    kind: 'app.forget',
    describe: ({ app, withData }) =>
      withData
        ? `Delete the releases, caches, logs and passwords of ${app}`
        : `Delete the releases, caches and logs of ${app}; its data stays on the data volume`,
    async check({ app, withData }) {
      const { ports, folders, stateFolder } = appliance
      const releases = await ports.files.stat(releasesFolder(stateFolder, app))
      const recorded = withData && (await listAppRecords(ports.files, folders.apps)).includes(app)
      return releases || recorded ? { state: 'needed', before: null } : { state: 'done' }
    },
    async apply({ app, withData }) {
      const { ports, folders, secrets, stateFolder } = appliance
      const own = appFolders(appliance, app)
      await appliance.runtime.forget(app)
      for (const folder of [own.volatile, own.secrets, own.socket, join(folders.logs, app)])
        await ports.files.remove(folder)
      await updateFacts(ports.files, stateFolder, (facts) => ({
        failures: clearFailure(facts.failures, app),
      }))
      if (withData) {
        await secrets.removeAll(`${app}/`)
        await removeAppRecord(ports.files, folders.apps, app)
        await removeHistory(appliance, app)
        await removeRehearsals(appliance, app)
      } else {
        // Added again, it finds its data and takes the release that its source holds then.
        await updateAppRecord(ports.files, folders.apps, app, {
          releaseId: undefined,
          pinned: undefined,
          ports: {},
          completed: {},
        })
      }
      await ports.files.remove(releasesFolder(stateFolder, app))
    },
    undo: 'not-needed',
    timeoutMs: HOUR_MS,
  })
