import { dirname, join } from 'node:path'
import { AppError } from '@caretaker/kernel/errors.ts'
import { sha256 } from '@caretaker/kernel/json.ts'
import type { Files } from '@caretaker/ports/files.ts'
import type { JournalRecord } from './journal-records.ts'

/** Hex digits of the checksum before each line: enough to tell a torn or rotten line from a whole one. */
const CHECKSUM_DIGITS = 16

/** The durable record of one operation. Append only; every append is on disk when it returns. */
export interface Journal {
  readonly path: string
  readonly records: readonly JournalRecord[]
  append(record: JournalRecord): Promise<void>
}

export function journalFolder(stateFolder: string): string {
  return join(stateFolder, 'operations')
}

/** Whether a text can be the id of an operation: what a person typed must not lead out of the journals' folder. */
export function isOperationId(text: string): boolean {
  return /^[a-z0-9-]{1,200}$/.test(text)
}

export function journalPath(stateFolder: string, operation: string): string {
  return join(journalFolder(stateFolder), `${operation}.jsonl`)
}

/** Creates the journal with its first record; both the file and its name are on disk when it returns. */
export async function createJournal(files: Files, path: string, first: JournalRecord): Promise<Journal> {
  await files.makeFolder(dirname(path), 0o700)
  await files.write(path, formatRecord(first), 0o600)
  await files.sync(path)
  await files.sync(dirname(path))
  return openedJournal(files, path, [first], Buffer.byteLength(formatRecord(first)))
}

/**
 * Opens an existing journal for going on. A last line that was torn by a crash is cut off: what it announced had
 * not begun. Undefined when not even the first record is whole: then nothing had begun.
 * @throws AppError JOURNAL_DAMAGED when a line before the last one is not whole.
 */
export async function openJournal(files: Files, path: string): Promise<Journal | undefined> {
  const content = await readJournal(files, path)
  if (!content) return undefined
  if (content.wholeBytes < content.totalBytes) {
    await files.truncate(path, content.wholeBytes)
    await files.sync(path)
  }
  return content.records.length === 0
    ? undefined
    : openedJournal(files, path, content.records, content.wholeBytes)
}

export interface JournalContent {
  readonly records: readonly JournalRecord[]
  readonly wholeBytes: number
  readonly totalBytes: number
}

/**
 * Reads a journal without changing it, for `operation list` while it may be written.
 * @throws AppError JOURNAL_DAMAGED
 */
export async function readJournal(
  files: Pick<Files, 'readText'>,
  path: string,
): Promise<JournalContent | undefined> {
  const text = await files.readText(path)
  if (text === undefined) return undefined
  const records: JournalRecord[] = []
  let wholeBytes = 0
  const lines = text.split('\n')
  for (const [index, line] of lines.entries()) {
    const isLast = index >= lines.length - 1
    if (isLast && line === '') break
    const record = parseLine(line)
    // A torn append has no newline, or (with blocks written out of order) a broken line at the very end.
    const endsFile = isLast || (index === lines.length - 2 && lines.at(-1) === '')
    if (!record || isLast) {
      if (endsFile) break
      throw damaged(path, index + 1)
    }
    records.push(record)
    wholeBytes += Buffer.byteLength(line) + 1
  }
  return { records, wholeBytes, totalBytes: Buffer.byteLength(text) }
}

function openedJournal(
  files: Files,
  path: string,
  initial: readonly JournalRecord[],
  initialBytes: number,
): Journal {
  const records = [...initial]
  let wholeBytes = initialBytes
  let isTorn = false
  return {
    path,
    records,
    async append(record) {
      const line = formatRecord(record)
      // A full disk may have taken half a line: the next one must not be glued to it.
      if (isTorn) await files.truncate(path, wholeBytes)
      isTorn = true
      await files.append(path, line, 0o600)
      await files.sync(path)
      isTorn = false
      wholeBytes += Buffer.byteLength(line)
      records.push(record)
    },
  }
}

function formatRecord(record: JournalRecord): string {
  const text = JSON.stringify(record)
  return `${sha256(text).slice(0, CHECKSUM_DIGITS)} ${text}\n`
}

function parseLine(line: string): JournalRecord | undefined {
  const checksum = line.slice(0, CHECKSUM_DIGITS)
  const text = line.slice(CHECKSUM_DIGITS + 1)
  if (sha256(text).slice(0, CHECKSUM_DIGITS) !== checksum) return undefined
  return JSON.parse(text) as JournalRecord
}

function damaged(path: string, line: number): AppError {
  return new AppError('JOURNAL_DAMAGED', {
    what: 'The journal of an operation cannot be used',
    why: `line ${line} of ${path} does not match its checksum`,
    next: 'Keep a copy of the file, look at the disk ("dmesg", "smartctl"), then run "caretaker doctor"',
    at: { file: path, line },
  })
}
