import { join } from 'node:path'
import { POSTGRES_SERVICE } from './app-database.ts'
import { appFolders } from './app-files.ts'
import { removeAppRecord } from './app-records.ts'
import type { Appliance } from './appliance.ts'
import { readClone, removeCloneRecord, writeClone } from './clone-records.ts'
import { cloneSnapshot } from './copy-data.ts'
import { clearFailure, updateFacts } from './facts.ts'
import { cloneMailFolder } from './isolation.ts'
import { refreshGateway } from './refresh-gateway.ts'

/**
 * Stops a clone and deletes all of it; its record goes last, so that it can be repeated after an interruption. Nothing when
 * there is none. What belongs to its origin is not touched.
 */
export async function removeClone(appliance: Appliance, clone: string): Promise<void> {
  const { ports, folders, storage, secrets, stateFolder, runtime } = appliance
  const { files } = ports
  const record = await readClone(files, stateFolder, clone)
  if (!record) return
  await writeClone(appliance, { ...record, state: 'removing' })
  for (const { app, service, slot } of await runtime.list())
    if (app === clone && service !== POSTGRES_SERVICE) await runtime.stop(clone, service, slot)
  await runtime.stop(clone, POSTGRES_SERVICE)
  await runtime.forget(clone)
  await storage.removeUnit(clone)
  if (await storage.hasUnit(record.app)) await storage.removeSnapshot(record.app, cloneSnapshot(clone))
  const own = appFolders(appliance, clone)
  for (const path of [
    own.volatile,
    join(folders.secrets, clone),
    cloneMailFolder(stateFolder, clone),
    own.socket,
    join(folders.logs, clone),
    join(folders.containers, `${clone}.pg_hba.conf`),
    join(folders.certificates, `app-${clone}.crt`),
    join(folders.certificates, `app-${clone}.key`),
  ])
    await files.remove(path)
  await updateFacts(files, stateFolder, ({ failures }) => ({ failures: clearFailure(failures, clone) }))
  await secrets.removeAll(`${clone}/`)
  await removeAppRecord(files, folders.apps, clone)
  await removeCloneRecord(appliance, clone)
  // One that does not run is given its config when it is started.
  await refreshGateway(appliance).catch(() => undefined)
}
