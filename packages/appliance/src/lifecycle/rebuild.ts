import type { StepContext } from '@caretaker/steps/step.ts'
import { serviceNamed } from '../application/application.ts'
import { commandTail, quotedCommand, runInService } from './app-command.ts'
import { makeServiceFolder, volumeFolder } from './app-files.ts'
import { readAppRecord, updateAppRecord } from './app-records.ts'
import { loadRelease } from './app-release.ts'
import type { Appliance } from './appliance.ts'
import type { PlacedRelease } from './running-release.ts'

/**
 * Empties the volatile volumes of an application whose data was just changed under it: what they hold was made from
 * other data. {@link runRebuild} fills them.
 */
export async function emptyVolatile(appliance: Appliance, app: string, releaseId: string): Promise<void> {
  const { files } = appliance.ports
  const { application } = await loadRelease(appliance, app, releaseId)
  for (const volume of application.volumes.filter(({ kind }) => kind === 'volatile')) {
    const folder = volumeFolder(appliance, app, volume)
    await files.remove(folder)
    // The engine gives a volume that is empty what the image has in its place, owner included.
    if (appliance.runtime.kind === 'docker') await files.makeFolder(folder, 0o755)
    else await makeServiceFolder(appliance, folder)
  }
  const { updating } = await readAppRecord(files, appliance.folders.apps, app)
  if (updating)
    await updateAppRecord(files, appliance.folders.apps, app, { updating: { ...updating, emptied: true } })
}

/** Runs the application's own command that fills its volatile volumes, after they were emptied. Its failure is told. */
export async function runRebuild(
  appliance: Appliance,
  { app, releaseId, slot }: PlacedRelease,
  { signal, progress }: StepContext,
): Promise<void> {
  const { updating } = await readAppRecord(appliance.ports.files, appliance.folders.apps, app)
  const { application } = await loadRelease(appliance, app, releaseId)
  const { rebuild } = application
  if (!rebuild || updating?.emptied !== true) return
  const service = serviceNamed(application, rebuild.service)
  const options = { timeoutMs: rebuild.timeoutMs, onLine: progress, slot }
  const result = await runInService(appliance, app, releaseId, service, rebuild.command, options, signal)
  if (result.exitCode !== 0)
    progress(
      `${quotedCommand(rebuild.command)} ${commandTail(result)}; what it fills may be lost, so this stops nothing`,
    )
}
