import { join } from 'node:path'
import { toAppError } from '@caretaker/kernel/errors.ts'
import type { Files } from '@caretaker/ports/files.ts'
import { type CloneRecord, withClones } from '../config/clone.ts'
import type { Appliance } from './appliance.ts'
import { readStateFile, writeStateFile } from './state-file.ts'

const FILE = /^([a-z0-9-]+)\.json$/

const cloneFile = (stateFolder: string, name: string) => join(stateFolder, 'clones', `${name}.json`)

/** The record of a clone; undefined when there is none. @throws AppError STATE_DAMAGED */
export async function readClone(
  files: Pick<Files, 'readText'>,
  stateFolder: string,
  name: string,
): Promise<CloneRecord | undefined> {
  return readStateFile<CloneRecord>(files, cloneFile(stateFolder, name))
}

/** The names of all clones, those included whose record cannot be read. */
export async function listCloneNames(
  files: Pick<Files, 'list'>,
  stateFolder: string,
): Promise<readonly string[]> {
  const entries = (await files.list(join(stateFolder, 'clones'))) ?? []
  return entries.flatMap(({ name }) => FILE.exec(name)?.[1] ?? [])
}

/** All clones whose record can be read, the oldest first. */
export async function listClones(
  files: Pick<Files, 'list' | 'readText'>,
  stateFolder: string,
): Promise<readonly CloneRecord[]> {
  const found: CloneRecord[] = []
  for (const name of await listCloneNames(files, stateFolder)) {
    const record = await readClone(files, stateFolder, name).catch((error: unknown) => {
      if (toAppError(error).code !== 'STATE_DAMAGED') throw error
    })
    if (record) found.push(record)
  }
  return found.toSorted((a, b) => a.createdAt.localeCompare(b.createdAt))
}

/** Writes the record of a clone durably; this appliance knows it from then on. */
export async function writeClone(appliance: Appliance, record: CloneRecord): Promise<void> {
  const { ports, stateFolder } = appliance
  await ports.files.makeFolder(join(stateFolder, 'clones'), 0o700)
  await writeStateFile(ports.files, cloneFile(stateFolder, record.name), record)
  await refreshClones(appliance)
}

/** Forgets a clone; nothing when it is not known. */
export async function removeCloneRecord(appliance: Appliance, name: string): Promise<void> {
  const { ports, stateFolder } = appliance
  await ports.files.remove(cloneFile(stateFolder, name))
  if (await ports.files.stat(join(stateFolder, 'clones'))) await ports.files.sync(join(stateFolder, 'clones'))
  await refreshClones(appliance)
}

/**
 * Makes the applications of this appliance those of its config and the clones of now, in place: steps that hold the
 * appliance go on with a clone that a step before them has made, and who looks after the services knows it too.
 */
export async function refreshClones({ config, ports, stateFolder }: Appliance): Promise<void> {
  const { applications } = withClones(config, await listClones(ports.files, stateFolder))
  const present = config.applications as Record<string, unknown>
  for (const name of Object.keys(present)) if (!Object.hasOwn(applications, name)) delete present[name]
  Object.assign(present, applications)
}
