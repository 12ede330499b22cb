import { AppError } from '@caretaker/kernel/errors.ts'
import { MINUTE_MS } from '@caretaker/kernel/time.ts'
import { defineStep } from '@caretaker/steps/step.ts'
import { appFolders, makeServiceFolder, volumeFolder } from '../app-files.ts'
import { readAppRecord } from '../app-records.ts'
import { loadRelease } from '../app-release.ts'
import type { Appliance } from '../appliance.ts'
import type { ReleaseInput } from './release-prepare.ts'

/** The folders of an application: its snapshot unit with the data volumes, and its volatile ones. */
export const unitCreate = (appliance: Appliance) =>
  defineStep<ReleaseInput, null>({
    kind: 'unit.create',
    describe: ({ app }) => `Make the data and volatile folders of ${app}`,
    async check({ app, releaseId }) {
      const { ports, storage, folders } = appliance
      const record = await readAppRecord(ports.files, folders.apps, app)
      if (!(await storage.hasUnit(app))) {
        if (record.databaseCreated || record.releaseId !== undefined) throw dataGone(appliance, app)
        return { state: 'needed', before: null }
      }
      const wanted = await wantedFolders(appliance, app, releaseId)
      const there = await Promise.all(
        wanted.map(async (folder) => (await ports.files.stat(folder)) !== undefined),
      )
      return wanted.length > 0 && there.every(Boolean) ? { state: 'done' } : { state: 'needed', before: null }
    },
    async apply({ app, releaseId }) {
      const { ports, storage, folders } = appliance
      await storage.createUnit(app)
      await ports.files.makeFolder(folders.volatile, 0o711)
      await ports.files.makeFolder(folders.run, 0o711)
      await ports.files.makeFolder(`${folders.run}/pg`, 0o711)
      for (const folder of await wantedFolders(appliance, app, releaseId)) {
        // The engine gives a volume that is empty what the image has in its place, owner included.
        if (appliance.runtime.kind === 'docker') await ports.files.makeFolder(folder, 0o755)
        else await makeServiceFolder(appliance, folder)
      }
    },
    undo: 'not-needed',
    timeoutMs: MINUTE_MS,
  })

async function wantedFolders(
  appliance: Appliance,
  app: string,
  releaseId: string,
): Promise<readonly string[]> {
  const loaded = await loadRelease(appliance, app, releaseId).catch(() => undefined)
  if (!loaded) return []
  const { volatile, home } = appFolders(appliance, app)
  const volumes = loaded.application.volumes.map((volume) => volumeFolder(appliance, app, volume))
  return [volatile, home, ...volumes]
}

function dataGone(appliance: Appliance, app: string): AppError {
  return new AppError('DATABASE_ABSENT', {
    what: `${app} is not started`,
    why: `it has been started before, but the data volume ${appliance.folders.data} holds nothing of it`,
    next: `Put its data back; to give it up and begin anew, "caretaker app remove ${app}" and add it again`,
  })
}
