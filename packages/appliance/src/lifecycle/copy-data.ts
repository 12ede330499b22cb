import { HOUR_MS } from '@caretaker/kernel/time.ts'
import { copyLiveUnit } from '../database/base-backup.ts'
import { explaining } from '../database/explain.ts'
import { checkpoint } from '../database/roles.ts'
import { adminAddress, clusterOf, POSTGRES_SERVICE } from './app-database.ts'
import { appFolders } from './app-files.ts'
import type { Appliance } from './appliance.ts'

/** Name of the snapshot from which a clone is copied; it is there for that moment only. */
export function cloneSnapshot(clone: string): string {
  return `clone-${clone}`.slice(0, 40).replace(/-+$/, '')
}

/**
 * Makes the unit of a clone from the data of its origin, which goes on serving: everything that was acknowledged before is
 * in it. Database and files are of one instant on instant storage. Otherwise the database is of one instant, and the
 * files are copied after it: those that its rows name are there, unless they were removed meanwhile.
 * Safe to repeat. @throws AppError STORAGE_SPACE, STORAGE_NESTED, UNIT_UNKNOWN, POSTGRES_…
 */
export async function copyData(
  appliance: Appliance,
  app: string,
  clone: string,
  signal: AbortSignal,
): Promise<void> {
  const { storage, ports } = appliance
  if (!(await storage.hasUnit(clone))) {
    await storage.reserve(await storage.copyBytes(app))
    if (storage.instant) await copyInstantly(appliance, app, clone)
    else await copyLive(appliance, app, clone, signal)
  }
  if (storage.instant) await storage.removeSnapshot(app, cloneSnapshot(clone))
  // Of the server of the origin.
  await ports.files.remove(`${appFolders(appliance, clone).postgres}/postmaster.pid`)
}

async function copyInstantly(appliance: Appliance, app: string, clone: string): Promise<void> {
  const { storage, ports } = appliance
  const snapshot = cloneSnapshot(clone)
  // So that the copy has little to recover.
  if (await hasServer(appliance, app))
    await explaining(app, notCopied(app), async () =>
      checkpoint(ports.databases, await adminAddress(appliance, app)),
    )
  await storage.removeSnapshot(app, snapshot)
  await storage.snapshot(app, snapshot)
  await storage.writableCopy(app, snapshot, clone)
}

async function copyLive(
  appliance: Appliance,
  app: string,
  clone: string,
  signal: AbortSignal,
): Promise<void> {
  const { storage, ports } = appliance
  const { owner } = clusterOf(appliance, app)
  const server = (await hasServer(appliance, app))
    ? { admin: await adminAddress(appliance, app), owner, timeoutMs: HOUR_MS }
    : undefined
  await storage.liveCopy(app, clone, (from, to, short) => {
    const either = AbortSignal.any([signal, short])
    return explaining(app, notCopied(app), () => copyLiveUnit(ports, server, from, to, either))
  })
}

/** Whether somebody writes in the database: then it is copied with the help of its server. */
async function hasServer(appliance: Appliance, app: string): Promise<boolean> {
  return (await appliance.runtime.status(app, POSTGRES_SERVICE))?.state === 'running'
}

const notCopied = (app: string) => `The database of ${app} was not copied`
