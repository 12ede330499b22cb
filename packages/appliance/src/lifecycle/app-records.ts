import { join } from 'node:path'
import type { Files } from '@caretaker/ports/files.ts'
import type { PinnedSource } from '../release/release.ts'
import { readStateFile, writeStateFile } from './state-file.ts'

/** What this machine knows of one application. */
export interface AppRecord {
  readonly app: string
  /** The release that runs, or ran last: written after it proved itself. Undefined before the first success. */
  readonly releaseId: string | undefined
  /** Source and pin of that release, so that it can be prepared again when its folder is lost. */
  readonly pinned: PinnedSource | undefined
  /** Since when that release is the one, ISO 8601 instant. */
  readonly since: string | undefined
  /** Loopback port of each service that listens. */
  readonly ports: Readonly<Record<string, number>>
  /** Whether the database was created: from then on an absent one is a loss. */
  readonly databaseCreated: boolean
  /** Service that does one thing → the release for which it has done it. */
  readonly completed: Readonly<Record<string, string>>
  /** A person has stopped this application. */
  readonly stopped: boolean
}

const recordPath = (appsFolder: string, app: string) => join(appsFolder, `${app}.json`)

/** The record, an empty one for an application never seen. @throws AppError STATE_DAMAGED */
export async function readAppRecord(
  files: Pick<Files, 'readText'>,
  appsFolder: string,
  app: string,
): Promise<AppRecord> {
  const stored = await readStateFile<Partial<AppRecord>>(files, recordPath(appsFolder, app))
  return {
    releaseId: undefined,
    pinned: undefined,
    since: undefined,
    ports: {},
    databaseCreated: false,
    completed: {},
    stopped: false,
    ...stored,
    app,
  }
}

/** Changes the record durably and gives the new one. */
export async function updateAppRecord(
  files: Files,
  appsFolder: string,
  app: string,
  change: Partial<Omit<AppRecord, 'app'>>,
): Promise<AppRecord> {
  const record = { ...(await readAppRecord(files, appsFolder, app)), ...change }
  await files.makeFolder(appsFolder, 0o700)
  await writeStateFile(files, recordPath(appsFolder, app), record)
  return record
}

export async function removeAppRecord(files: Files, appsFolder: string, app: string): Promise<void> {
  await files.remove(recordPath(appsFolder, app))
  if (await files.stat(appsFolder)) await files.sync(appsFolder)
}

/** Applications this machine knows, whether the config still names them or not. */
export async function listAppRecords(
  files: Pick<Files, 'list'>,
  appsFolder: string,
): Promise<readonly string[]> {
  const entries = (await files.list(appsFolder)) ?? []
  return entries
    .filter((entry) => entry.name.endsWith('.json'))
    .map((entry) => entry.name.slice(0, -'.json'.length))
}
