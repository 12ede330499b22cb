import { listReleases } from '../release/list.ts'
import { removeReleases } from '../release/remove.ts'
import { listAppRecords, readAppRecord } from './app-records.ts'
import type { Appliance } from './appliance.ts'
import { listClones } from './clone-records.ts'
import { removeOldImages } from './release-images.ts'
import { expireSnapshots } from './revert-data.ts'

/** Prepared releases of an application that stay beside those in use: for going back and forth without building. */
const SPARE_RELEASES = 3

/** Applications of which a snapshot is kept whose time is over. */
export async function appsWithExpiredSnapshots(appliance: Appliance): Promise<readonly string[]> {
  const { ports, folders } = appliance
  const nowMs = ports.clock.now().getTime()
  const found: string[] = []
  for (const app of await listAppRecords(ports.files, folders.apps)) {
    // A damaged record is said by who needs it.
    const record = await readAppRecord(ports.files, folders.apps, app).catch(() => undefined)
    const isOver = record?.kept?.some(({ until }) => Date.parse(until) <= nowMs) === true
    if (isOver && !record.updating) found.push(app)
  }
  return found
}

/**
 * Removes snapshots whose time is over, and releases and the images built of them that nothing needs any more. Gives what was removed, in words. The
 * caller holds the lock.
 */
export async function expireOfApps(appliance: Appliance): Promise<readonly string[]> {
  const { ports, folders } = appliance
  const removed: string[] = []
  for (const app of await appsWithExpiredSnapshots(appliance))
    for (const snapshot of await expireSnapshots(appliance, app))
      removed.push(`the snapshot ${snapshot} of ${app}`)
  for (const app of await listAppRecords(ports.files, folders.apps)) {
    if (!appliance.config.applications[app] || appliance.config.applications[app].clone) continue
    for (const release of await removeOldReleases(appliance, app))
      removed.push(`the release ${release} of ${app}`)
  }
  if (appliance.config.runtime === 'docker')
    for (const image of await removeOldImages(appliance)) removed.push(`the image ${image}`)
  return removed
}

/** Removes the prepared releases that neither run, ran last, are used by a clone, nor are among the newest. */
async function removeOldReleases(appliance: Appliance, app: string): Promise<readonly string[]> {
  const { ports, folders, stateFolder } = appliance
  const record = await readAppRecord(ports.files, folders.apps, app).catch(() => undefined)
  if (!record || record.updating) return []
  const newest = (await listReleases(ports.files, stateFolder, app)).slice(0, SPARE_RELEASES)
  const clones = (await listClones(ports.files, stateFolder)).filter((clone) => clone.app === app)
  const keep = [
    record.releaseId,
    record.previous?.releaseId,
    ...newest.map(({ releaseId }) => releaseId),
    ...clones.map(({ releaseId }) => releaseId),
  ].filter((id) => id !== undefined)
  return removeReleases(ports.files, stateFolder, app, keep)
}
