import { join } from 'node:path'
import type { Files } from '@caretaker/ports/files.ts'
import type { Release } from '../release/release.ts'
import { findRelease } from './app-release.ts'
import type { Appliance } from './appliance.ts'
import { appendJsonLine, readJsonLines } from './json-lines.ts'

/** One release as it was put in force. Plain JSON, written once and never changed. */
export interface HistoryEntry {
  /** Tells it from all others of the application. */
  readonly id: string
  /** ISO 8601 instant. */
  readonly at: string
  readonly kind: 'start' | 'update' | 'rollback'
  readonly release: string
  readonly version: string
  /** The release that ran before; null at the first start. */
  readonly from: string | null
  readonly pin: string
  readonly compose_hash: string
  /** Build context → SHA-256 of its lock file. */
  readonly lock_hashes: Readonly<Record<string, string>>
  /** Service → image by digest or id, for releases that run in containers. */
  readonly images: Readonly<Record<string, string>>
  /** Whether it migrated data, and the last lines that the migration said. */
  readonly migrated: boolean
  readonly migration_log: readonly string[]
  /** The data from right before; null when none was needed. */
  readonly snapshot: string | null
  /** Why it was not rehearsed first; absent where nobody said so. */
  readonly no_rehearsal?: string
  /** Why it went back by itself; absent where a person wanted it. */
  readonly why?: string
  readonly user: string
  readonly via: string
  /** From the first change to the commit. */
  readonly duration_ms: number
}

/** An instant as a part of a name: `20261120t170501123z`. */
export function instantName(at: Date): string {
  return at.toISOString().replaceAll(/[-:.]/g, '').toLowerCase()
}

const historyFile = (stateFolder: string, app: string) => join(stateFolder, 'history', `${app}.jsonl`)

/** Written after an entry whose change did not come into force after all. */
interface Withdrawal {
  readonly id: string
  readonly withdrawn: true
}

/**
 * Every release that was put in force, the oldest first; that of a change under way may be among them. Lines that a crash
 * or a disk has damaged are left out.
 */
export async function readHistory(
  files: Pick<Files, 'readText'>,
  stateFolder: string,
  app: string,
): Promise<readonly HistoryEntry[]> {
  const lines = await readJsonLines<HistoryEntry | Withdrawal>(files, historyFile(stateFolder, app))
  const withdrawn = new Set(lines.filter((line) => 'withdrawn' in line).map(({ id }) => id))
  return lines.filter((line): line is HistoryEntry => !withdrawn.has(line.id))
}

/** Writes an entry down, durably; one that is there already is not repeated. */
export async function appendHistory(
  { ports: { files }, stateFolder }: Appliance,
  app: string,
  entry: HistoryEntry,
): Promise<void> {
  if ((await readHistory(files, stateFolder, app)).some(({ id }) => id === entry.id)) return
  await appendJsonLine(files, historyFile(stateFolder, app), entry)
}

/** Takes back the entry of a change that was taken back, durably; nothing where there is none. */
export async function withdrawHistory(
  { ports: { files }, stateFolder }: Appliance,
  app: string,
  id: string,
): Promise<void> {
  if (!(await readHistory(files, stateFolder, app)).some((entry) => entry.id === id)) return
  await appendJsonLine(files, historyFile(stateFolder, app), { id, withdrawn: true } satisfies Withdrawal)
}

/** What a release is made of, as the history records it. */
export async function contentsOf(
  appliance: Appliance,
  release: Release,
): Promise<Pick<HistoryEntry, 'version' | 'pin' | 'compose_hash' | 'lock_hashes' | 'images'>> {
  const images = (await findRelease(appliance, release.app, release.releaseId))?.images ?? {}
  return {
    version: release.version,
    pin: release.pin,
    compose_hash: release.composeHash,
    lock_hashes: release.lockHashes,
    images: Object.fromEntries(Object.entries(images).map(([service, image]) => [service, image.reference])),
  }
}

export async function removeHistory({ ports, stateFolder }: Appliance, app: string): Promise<void> {
  await ports.files.remove(historyFile(stateFolder, app))
}
