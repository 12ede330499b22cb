import { join } from 'node:path'
import { AppError, toAppError } from '@caretaker/kernel/errors.ts'
import type { Files } from '@caretaker/ports/files.ts'
import type { PinnedSource } from '../release/release.ts'
import type { Slot } from '../runtime/runtime.ts'
import { inTurn } from './in-turn.ts'
import { readStateFile, writeStateFile } from './state-file.ts'

/** A snapshot that is kept for a while. */
export interface KeptSnapshot {
  readonly snapshot: string
  /**
   * - `pre-migrate`: the data as it was before the migration of the release that runs.
   * - `failed`: what an update that was taken back had made of the data.
   * - `before-rollback`: the data as it was when somebody went back.
   */
  readonly kind: 'pre-migrate' | 'failed' | 'before-rollback'
  /** ISO 8601 instants. */
  readonly since: string
  readonly until: string
}

/** A change of the release that is under way, or could be neither finished nor taken back. */
export interface Updating {
  /** Tells it from all others of this application. */
  readonly id: string
  readonly kind: 'update' | 'rollback'
  /** Release ids. */
  readonly from: string
  readonly to: string
  /** Versions, for people. */
  readonly fromVersion: string
  readonly toVersion: string
  readonly since: string
  /** The last lines of the migration, once it is done. */
  readonly migrated?: readonly string[]
  /** The new release has passed its smoke test. */
  readonly proved?: boolean
  /** Why a person did not want it rehearsed. */
  readonly noRehearsal?: string
  /** Why it goes back, where no person wants that. */
  readonly because?: string
  /** The volatile volumes were emptied on the way back. */
  readonly emptied?: boolean
}

/** A release that came and was taken back, or whose update was: it does not come by itself any more. */
export interface TakenBack {
  readonly releaseId: string
  readonly version: string
  /** ISO 8601 instant. */
  readonly at: string
  readonly why: string
  /** Nobody was there when it went back. */
  readonly byItself: boolean
}

/** The release that ran before the one that runs. */
export interface PreviousRelease {
  readonly releaseId: string
  readonly pinned: PinnedSource
  /** Its data from right before the migration; undefined when none was needed. */
  readonly snapshot?: string
}

/** What this machine knows of one application. */
export interface AppRecord {
  readonly app: string
  /** The release that runs, or ran last: written after it proved itself. Undefined before the first success. */
  readonly releaseId: string | undefined
  /** Source and pin of that release, so that it can be prepared again when its folder is lost. */
  readonly pinned: PinnedSource | undefined
  /** Since when that release is the one, ISO 8601 instant. */
  readonly since: string | undefined
  /** Where the services of that release run. */
  readonly slot: Slot
  /** Loopback port of each service that listens, by `serviceKey`. */
  readonly ports: Readonly<Record<string, number>>
  /** Whether the database was created: from then on an absent one is a loss. */
  readonly databaseCreated: boolean
  /** Service that does one thing → the release for which it has done it. */
  readonly completed: Readonly<Record<string, string>>
  /** A person has stopped this application. */
  readonly stopped: boolean
  /** What a release said, asked on a clone, about whether it migrates the data that another release left. */
  readonly asked?: Asked
  readonly updating?: Updating | undefined
  readonly previous?: PreviousRelease | undefined
  readonly kept?: readonly KeptSnapshot[]
  /** The last one, until another release is in force. */
  readonly takenBack?: TakenBack | undefined
  /** Releases that were in force and that it went back from, until an update is in force: they come again only by name. */
  readonly left?: readonly TakenBack[] | undefined
  /** Until when (ISO 8601) a crash loop makes a release go back by itself, if it migrated nothing. */
  readonly watchedUntil?: string | undefined
}
export interface Asked {
  readonly releaseId: string
  /** The release that ran when it was asked. */
  readonly from: string
  readonly migrates: boolean
  /** ISO 8601 instants: of the answer, and when the clone was made on which it was given. */
  readonly at: string
  readonly cloned?: string
}

/** Where a record lies, and its copy: a lost record would make the next start an update that nobody asked for. */
const recordPaths = (appsFolder: string, app: string) =>
  [join(appsFolder, `${app}.json`), join(appsFolder, `${app}.json.copy`)] as const

/** What an application is before its first start, and while its record cannot be read. */
export const emptyAppRecord = (app: string): AppRecord => ({
  app,
  releaseId: undefined,
  pinned: undefined,
  since: undefined,
  slot: 'a',
  ports: {},
  databaseCreated: false,
  completed: {},
  stopped: false,
})

/**
 * The record, from its copy when the first file is lost; an empty one for an application never seen.
 * @throws AppError STATE_DAMAGED when neither can be read and one is damaged
 */
export async function readAppRecord(
  files: Pick<Files, 'readText'>,
  appsFolder: string,
  app: string,
): Promise<AppRecord> {
  const [first, copy] = await readBoth(files, appsFolder, app)
  const damaged = [first, copy].filter((stored) => stored === 'damaged').length
  const whole = [first, copy].find((stored) => typeof stored === 'object')
  if (!whole && damaged > 0) throw bothDamaged(appsFolder, app, first, copy)
  return { ...emptyAppRecord(app), ...whole, app }
}

/** A record with its copy as it lies there; undefined what is not there. */
type Stored = Partial<AppRecord> | 'damaged' | undefined

async function readBoth(
  files: Pick<Files, 'readText'>,
  appsFolder: string,
  app: string,
): Promise<readonly [Stored, Stored]> {
  const [first, copy] = recordPaths(appsFolder, app)
  return [await readOne(files, first), await readOne(files, copy)]
}

async function readOne(files: Pick<Files, 'readText'>, path: string): Promise<Stored> {
  try {
    const stored = await readStateFile<unknown>(files, path)
    const isRecord = typeof stored === 'object' && stored !== null && !Array.isArray(stored)
    return stored === undefined ? undefined : isRecord ? stored : 'damaged'
  } catch (error) {
    if (toAppError(error).code === 'STATE_DAMAGED') return 'damaged'
    throw error
  }
}

function bothDamaged(appsFolder: string, app: string, first: Stored, copy: Stored): AppError {
  const [path, copyPath] = recordPaths(appsFolder, app)
  const say = (stored: Stored) => (stored === 'damaged' ? 'is damaged' : 'is missing')
  const damaged = [first === 'damaged' ? path : '', copy === 'damaged' ? copyPath : ''].filter(Boolean)
  const aside = damaged.map((file) => `mv ${file} ${file}.damaged`).join('; ')
  return new AppError('STATE_DAMAGED', {
    what: `Which release of ${app} ran is not known`,
    why: `${path} ${say(first)}, and its copy ${copyPath} ${say(copy)}`,
    next: `Look at the disk ("dmesg") and put one of them back as ${path}. Or give it up, so that ${app} starts with what its source holds now: "${aside}", then "caretaker up"`,
    at: { file: path },
  })
}

/** Makes a record and its copy alike again from the one that is whole; a damaged one is set aside beside it. */
export async function mendAppRecord(files: Files, appsFolder: string, app: string): Promise<void> {
  const [path, copyPath] = recordPaths(appsFolder, app)
  const [first, copy] = await readBoth(files, appsFolder, app)
  const whole = typeof first === 'object' ? first : typeof copy === 'object' ? copy : undefined
  if (!whole || JSON.stringify(first) === JSON.stringify(copy)) return
  if (first === 'damaged') await setAside(files, path)
  if (copy === 'damaged') await setAside(files, copyPath)
  await writeBoth(files, appsFolder, app, whole)
}

/** In the place of what was set aside before: a folder, which may be there for a file, could not replace a file. */
async function setAside(files: Files, path: string): Promise<void> {
  await files.remove(`${path}.damaged`)
  await files.rename(path, `${path}.damaged`)
}

async function writeBoth(
  files: Files,
  appsFolder: string,
  app: string,
  record: Partial<AppRecord>,
): Promise<void> {
  for (const path of recordPaths(appsFolder, app)) await writeStateFile(files, path, record)
}

/** Changes the record durably and gives the new one. */
export async function updateAppRecord(
  files: Files,
  appsFolder: string,
  app: string,
  change: Partial<Omit<AppRecord, 'app'>>,
): Promise<AppRecord> {
  return inTurn(join(appsFolder, app), async () => {
    const record = { ...(await readAppRecord(files, appsFolder, app)), ...change }
    await files.makeFolder(appsFolder, 0o700)
    await writeBoth(files, appsFolder, app, record)
    return record
  })
}

export async function removeAppRecord(files: Files, appsFolder: string, app: string): Promise<void> {
  for (const path of recordPaths(appsFolder, app)) await files.remove(path)
  if (await files.stat(appsFolder)) await files.sync(appsFolder)
}

/** Applications this machine knows, whether the config still names them or not. */
export async function listAppRecords(
  files: Pick<Files, 'list'>,
  appsFolder: string,
): Promise<readonly string[]> {
  const entries = (await files.list(appsFolder)) ?? []
  const names = entries.flatMap(({ name }) => /^(.+)\.json(?:\.copy)?$/.exec(name)?.[1] ?? [])
  return [...new Set(names)]
}
