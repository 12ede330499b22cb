import { operationId } from '@caretaker/kernel/ids.ts'
import { SECOND_MS } from '@caretaker/kernel/time.ts'
import type { Files } from '@caretaker/ports/files.ts'
import { journalFolder } from './journal.ts'

/** The time at the beginning of an {@link operationId}. */
const STAMP = /^(\d{4})(\d\d)(\d\d)-(\d\d)(\d\d)(\d\d)-/

/**
 * The id of a new operation of this state folder. It sorts after all that are there: within one second, and after the
 * clock was set back, it bears the second after the newest one. When an operation really began is in its journal.
 * The caller holds the lock.
 */
export async function nextOperationId(
  files: Pick<Files, 'list'>,
  stateFolder: string,
  name: string,
  now: Date,
): Promise<string> {
  const entries = (await files.list(journalFolder(stateFolder))) ?? []
  const newestMs = entries.reduce((newest, entry) => Math.max(newest, stampOf(entry.name)), 0)
  return operationId(name, new Date(Math.max(now.getTime(), newestMs + SECOND_MS)))
}

/** Milliseconds since the epoch; 0 for a name that is no id or tells no time. */
function stampOf(id: string): number {
  const [, year, month, day, hour, minute, second] = STAMP.exec(id) ?? []
  const atMs = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`)
  return Number.isNaN(atMs) ? 0 : atMs
}
