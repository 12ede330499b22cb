import { dirname, join } from 'node:path'
import { writeDurably } from '@caretaker/ports/durable.ts'
import type { Files } from '@caretaker/ports/files.ts'
import {
  compactRecords,
  type HistoryRecord,
  type JobHistory,
  parseHistory,
  replayHistory,
} from './history-records.ts'

/** How many runs of a job are remembered, with their logs. */
export const KEPT_RUNS = 200
/** A history is written anew when it holds this many records: a run has two, its start and its end. */
const MOST_RECORDS = 3 * KEPT_RUNS

export function historyPath(stateFolder: string, job: string): string {
  return join(stateFolder, 'jobs', `${job}.jsonl`)
}

/** What is remembered of a job; empty for one that was never seen. */
export async function readHistory(
  files: Pick<Files, 'readText'>,
  stateFolder: string,
  job: string,
): Promise<JobHistory> {
  const history = replayHistory(parseHistory((await files.readText(historyPath(stateFolder, job))) ?? ''))
  const runs = history.runs.slice(-KEPT_RUNS)
  return { ...history, runs, runsOfSchedule: Math.min(history.runsOfSchedule, runs.length) }
}

/** Two appends of one process to the same history come one after the other. */
const appending = new Map<string, Promise<void>>()

/** Appends to the history of a job; it is on disk when this resolves. Keeps the history bounded. */
export async function appendHistory(
  files: Files,
  stateFolder: string,
  job: string,
  record: HistoryRecord,
): Promise<void> {
  const path = historyPath(stateFolder, job)
  const before = appending.get(path) ?? Promise.resolve()
  const mine = before.catch(() => undefined).then(() => append(files, path, record))
  appending.set(path, mine)
  try {
    await mine
  } finally {
    if (appending.get(path) === mine) appending.delete(path)
  }
}

async function append(files: Files, path: string, record: HistoryRecord): Promise<void> {
  const text = await files.readText(path)
  if (text === undefined) {
    await files.makeFolder(dirname(path), 0o700)
    await writeDurably(files, path, lineOf(record))
    return
  }
  const records = [...parseHistory(text), record]
  const isTorn = text !== '' && !text.endsWith('\n')
  if (isTorn || records.length > MOST_RECORDS) {
    const kept = compactRecords(replayHistory(records), KEPT_RUNS)
    await writeDurably(files, path, kept.map(lineOf).join(''))
    return
  }
  await files.append(path, lineOf(record), 0o600)
  await files.sync(path)
}

const lineOf = (record: HistoryRecord) => `${JSON.stringify(record)}\n`
