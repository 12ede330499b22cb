import { join } from 'node:path'
import { MIB } from '@caretaker/kernel/units.ts'
import { listOperations } from '@caretaker/steps/operations.ts'
import { originOf } from '../../config/clone.ts'
import { readLastGood } from '../../config/last-good.ts'
import { releaseFolder } from '../../release/release.ts'
import { MAX_LOG_BYTES } from '../../runtime/logs.ts'
import { identityFile } from '../../sealing/identity-file.ts'
import { openSeal } from '../../sealing/seal.ts'
import { makeMetadataRoom, metadataLeft } from '../../storage/space.ts'
import type { Storage } from '../../storage/storage.ts'
import { readAppRecord } from '../app-records.ts'
import type { Appliance } from '../appliance.ts'
import { assertServable } from '../check-config.ts'
import { assertStorage } from '../check-storage.ts'
import { readFacts } from '../facts.ts'
import { factsOfBefore } from '../facts-of-before.ts'
import { diskSecrets } from '../folders.ts'
import { damagedRecord } from '../problems.ts'
import { readStateFile } from '../state-file.ts'
import { type ApplianceCheck, asFound, type Found, type Scene } from './finding.ts'
import { appendedLines, emptyJournals } from './line-checks.ts'
import { roomAt } from './machine-checks.ts'

/** A log this large was not set aside for a long time, or it grows faster than anybody can read. */
const LOG_LIMIT_BYTES = 2 * MAX_LOG_BYTES

/** What lies on the disks of the appliance. */
export const FILE_CHECKS: readonly ApplianceCheck[] = [
  {
    name: 'settings',
    says: 'the config asks for nothing that this version cannot do',
    look: async ({ appliance }) => {
      assertServable(appliance.config)
      return []
    },
  },
  { name: 'seal', says: 'what is sealed can be opened', look: seal },
  { name: 'secrets', says: 'secret files of applications lie in memory', look: secretsInMemory },
  { name: 'state files', says: 'every file of the state folder is whole', look: stateFiles },
  { name: 'releases', says: 'every release that runs is on this machine', look: releases },
  { name: 'storage', says: "the data volume is this appliance's own", look: storage },
  {
    name: 'volumes',
    says: 'there is room on both volumes',
    look: async ({ appliance: { ports, folders, storage: volume } }) => [
      ...(await roomAt(ports, folders.data, 'the data volume')),
      ...(await metadataAt(volume, folders.data)),
      ...(await roomAt(ports, folders.volatile, 'the volatile volume')),
    ],
  },
  { name: 'logs', says: 'the logs stay within their bounds', look: logs },
  { name: 'operations', says: 'no operation is unfinished', look: operations },
  { name: 'histories', says: 'what was recorded of jobs and operations can be read', look: histories },
]

/** Whether secrets can be read without making a seal or an identity that is missing. */
export async function isSealWhole(appliance: Appliance): Promise<boolean> {
  return (await seal({ appliance })).length === 0
}

/** Identity and seal without opening anything: to open would make what is missing. */
async function seal({ appliance }: Pick<Scene, 'appliance'>): Promise<readonly Found[]> {
  const { ports, stateFolder, config } = appliance
  const { startedBefore } = await readFacts(ports.files, stateFolder)
  if (!startedBefore) return []
  const next = 'caretaker up'
  const identity = await ports.files.readText(identityFile(stateFolder))
  if (identity === undefined) {
    return [{ code: 'SEAL_NO_IDENTITY', what: `${identityFile(stateFolder)} is missing`, next }]
  }
  if (!identity.includes(config.keys.age_identity.reveal())) {
    const what = `${identityFile(stateFolder)} holds another identity than the config`
    return [{ code: 'SEAL_WRONG_IDENTITY', what, next }]
  }
  const path = join(stateFolder, 'seal.age')
  const header = await ports.files.readText(path)
  if (header === undefined) return [{ code: 'SEAL_BROKEN', what: `${path} is missing`, next }]
  try {
    await openSeal(header.trim(), config.keys.age_identity.reveal())
    return []
  } catch {
    const what = `${path} is damaged, or was made for another identity`
    return [{ code: 'SEAL_BROKEN', what, next }]
  }
}

async function histories(scene: Scene): Promise<readonly Found[]> {
  return [...(await appendedLines(scene)), ...(await emptyJournals(scene))]
}

async function secretsInMemory({ appliance: { folders } }: Scene): Promise<readonly Found[]> {
  if (folders.secrets !== diskSecrets(folders.run)) return []
  return [
    {
      result: 'notice',
      code: 'SECRETS_ON_DISK',
      what: `while applications run, the secrets that they read as files lie on disk, in ${folders.secrets}: /dev/shm is no tmpfs`,
      next: 'Mount one: "mount -t tmpfs -o mode=1777 tmpfs /dev/shm", then "caretaker down" and "caretaker up"',
    },
  ]
}

async function stateFiles({ appliance }: Scene): Promise<readonly Found[]> {
  const { ports, stateFolder, folders, gatewayPaths } = appliance
  const paths = ['facts.json', 'secrets.json', 'certificates.json'].map((name) => join(stateFolder, name))
  paths.push(gatewayPaths.configFile)
  for (const folder of [folders.apps, folders.processes, join(stateFolder, 'clones')])
    for (const { name } of (await ports.files.list(folder)) ?? [])
      if (/\.json(\.copy)?$/.test(name)) paths.push(join(folder, name))
  const found: Found[] = []
  for (const path of paths)
    await readStateFile(ports.files, path).catch((error: unknown) => found.push(asFound(error)))
  for (const record of await appliance.runtime.damaged()) {
    if (!record.setAside) continue
    const { reason, next } = damagedRecord(record)
    found.push({ result: 'notice', code: 'STATE_DAMAGED', what: reason, next })
  }
  await readLastGood(ports, stateFolder).catch((error: unknown) => found.push(asFound(error)))
  return found
}

async function releases({ appliance }: Scene): Promise<readonly Found[]> {
  const { ports, stateFolder, folders, config } = appliance
  const found: Found[] = []
  for (const app of Object.keys(config.applications)) {
    try {
      const { releaseId } = await readAppRecord(ports.files, folders.apps, app)
      if (releaseId === undefined) continue
      const folder = releaseFolder(stateFolder, originOf(config, app), releaseId)
      if (await readStateFile(ports.files, join(folder, 'release.json'))) continue
      const what = `the release ${releaseId} of ${app} is not in ${folder}`
      found.push({ code: 'RELEASE_MISSING', what, next: '"caretaker up" prepares it again from its source' })
    } catch (error) {
      found.push(asFound(error))
    }
  }
  return found
}

async function storage({ appliance }: Scene): Promise<readonly Found[]> {
  const { ports, folders, config } = appliance
  const { startedBefore } = await factsOfBefore(appliance)
  await assertStorage(appliance, !startedBefore)
  if (!startedBefore) return []
  const found: Found[] = (await appliance.storage.leftovers()).map(({ path }) => ({
    code: 'OPERATION_UNFINISHED',
    what: `${path} was left by an interrupted call`,
    next: 'caretaker up',
  }))
  for (const app of Object.keys(config.applications)) {
    const record = await readAppRecord(ports.files, folders.apps, app).catch(() => undefined)
    // A damaged one is found as such by the check of the releases.
    if (!record) continue
    if (!(record.databaseCreated || record.releaseId !== undefined)) continue
    if (await appliance.storage.hasUnit(app)) continue
    found.push({
      code: 'DATABASE_ABSENT',
      what: `${app} has been started before, but ${folders.data} holds nothing of it`,
      next: `Put its data back to ${appliance.storage.unitPath(app)}, then "caretaker up"`,
    })
  }
  return found
}

/** Room for the records of the file system, which `df` does not show. */
async function metadataAt(volume: Storage, root: string): Promise<readonly Found[]> {
  const space = await volume.space().catch(() => undefined)
  if (!(space?.warn && space.metadata && space.metadata.usedRatio > space.usedRatio)) return []
  const what = `on the data volume ${root} only ${metadataLeft(space.metadata)}`
  return [{ code: 'STORAGE_SPACE', what, next: makeMetadataRoom(root) }]
}

async function logs({ appliance: { ports, folders } }: Scene): Promise<readonly Found[]> {
  const found: Found[] = []
  for (const folder of (await ports.files.list(folders.logs)) ?? []) {
    for (const { name } of (await ports.files.list(join(folders.logs, folder.name))) ?? []) {
      const path = join(folders.logs, folder.name, name)
      const size = (await ports.files.stat(path))?.sizeBytes ?? 0
      if (size <= LOG_LIMIT_BYTES) continue
      found.push({
        code: 'LOGS_TOO_LARGE',
        what: `${path} has ${Math.round(size / MIB)} MiB; it should be set aside at ${MAX_LOG_BYTES / MIB}`,
        next: `See what fills it: "tail ${path}"; the daemon sets it aside ("caretaker status" says whether one runs)`,
      })
    }
  }
  return found
}

async function operations({ appliance: { ports, stateFolder } }: Scene): Promise<readonly Found[]> {
  return (await listOperations(ports.files, stateFolder)).flatMap(({ operation, purpose, state }) => {
    if (state === 'damaged') {
      const path = join(stateFolder, 'operations', `${operation}.jsonl`)
      const next = `Look at the disk ("dmesg"), then set it aside: mv ${path} ${path}.damaged`
      return [{ code: 'JOURNAL_DAMAGED', what: `${operation}: ${purpose}`, next }]
    }
    if (state !== 'unfinished') return []
    return [{ code: 'OPERATION_UNFINISHED', what: `${operation} (${purpose})`, next: 'caretaker up' }]
  })
}
