import { readdirSync, readFileSync, watch } from 'node:fs'
import { join } from 'node:path'
import type { JournalRecord } from '@caretaker/steps/journal-records.ts'

/** A record of the journal of an operation of an update. */
export interface SeenRecord {
  readonly operation: string
  readonly record: JournalRecord
}

const CHECKSUM_AND_BLANK = 17
/** In case the file system tells of a change too late, or not at all. */
const LOOK_EVERY_MS = 20

const folderOf = (state: string) => join(state, 'operations')
const journalsIn = (state: string) =>
  readdirSync(folderOf(state))
    .filter((name) => /-(prepare|update)-guestbook-[^-]+\.jsonl$/.test(name))
    .toSorted()

/** Every whole record of the journals of updates, oldest operation first. */
export function readUpdates(state: string): readonly SeenRecord[] {
  return journalsIn(state).flatMap((name) => recordsOf(state, name))
}

function recordsOf(state: string, name: string): readonly SeenRecord[] {
  const lines = readFileSync(join(folderOf(state), name), 'utf8')
    .split('\n')
    .slice(0, -1)
  const operation = name.slice(0, -'.jsonl'.length)
  return lines.flatMap((line) => {
    try {
      return [{ operation, record: JSON.parse(line.slice(CHECKSUM_AND_BLANK)) as JournalRecord }]
    } catch {
      return []
    }
  })
}

/** Tells of each new record of an update within moments of its being on disk, until it is stopped. */
export function watchUpdates(state: string, told: (seen: SeenRecord) => void): () => void {
  const before = new Set(journalsIn(state))
  const known = new Map<string, number>()
  const look = () => {
    for (const name of journalsIn(state)) {
      if (before.has(name)) continue
      const records = recordsOf(state, name)
      const from = known.get(name) ?? 0
      known.set(name, records.length)
      for (const seen of records.slice(from)) told(seen)
    }
  }
  const watcher = watch(folderOf(state), look)
  const timer = setInterval(look, LOOK_EVERY_MS)
  return () => {
    watcher.close()
    clearInterval(timer)
  }
}
