import { toAppError } from '@caretaker/kernel/errors.ts'
import type { Files } from '@caretaker/ports/files.ts'
import type { Outcome } from './events.ts'
import { isOperationId, journalFolder, journalPath, readJournal } from './journal.ts'
import type { JournalRecord } from './journal-records.ts'
import { type OperationProgress, replay } from './progress.ts'
import { type OperationResult, type Runner, resumeOperationLocked } from './runner.ts'

export interface OperationSummary {
  readonly operation: string
  readonly name: string
  readonly purpose: string
  readonly user: string
  readonly via: string
  readonly started_at: string
  readonly ended_at: string | undefined
  /** `unfinished`: under way right now, or interrupted. `damaged`: the journal cannot be read. */
  readonly state: Exclude<Outcome, 'cancelled'> | 'unfinished' | 'damaged'
}

/** Every operation of a state folder, the newest first. */
export async function listOperations(
  files: Pick<Files, 'list' | 'readText'>,
  stateFolder: string,
): Promise<readonly OperationSummary[]> {
  const entries = (await files.list(journalFolder(stateFolder))) ?? []
  const names = entries
    .filter((entry) => entry.name.endsWith('.jsonl'))
    .map((entry) => entry.name.slice(0, -'.jsonl'.length))
  const found = await Promise.all(
    names
      .toSorted()
      .toReversed()
      .map((name) => summarize(files, stateFolder, name)),
  )
  return found.filter((entry) => entry !== undefined)
}

/** The whole story of one operation; undefined when there is none with this id. @throws AppError JOURNAL_DAMAGED */
export async function showOperation(
  files: Pick<Files, 'readText'>,
  stateFolder: string,
  operation: string,
): Promise<{ readonly records: readonly JournalRecord[]; readonly progress: OperationProgress } | undefined> {
  if (!isOperationId(operation)) return undefined
  const content = await readJournal(files, journalPath(stateFolder, operation))
  if (!content || content.records.length === 0) return undefined
  return { records: content.records, progress: replay(content.records) }
}

/**
 * Goes on with every operation that a crash interrupted, oldest first, so that whatever comes next finds things done
 * or undone, and with what a stopping daemon paused. The caller holds the lock. What a person paused waits for that person.
 */
export async function resumeInterrupted(
  runner: Runner,
  signal: AbortSignal,
): Promise<readonly OperationResult[]> {
  const results: OperationResult[] = []
  const operations = await listOperations(runner.ports.files, runner.stateFolder)
  for (const { operation, state } of operations.toReversed()) {
    if (state !== 'unfinished') continue
    const shown = await showOperation(runner.ports.files, runner.stateFolder, operation)
    if (!shown || shown.progress.waitsForPerson) continue
    results.push(await resumeOperationLocked(runner, operation, 'resume', signal))
  }
  return results
}

async function summarize(
  files: Pick<Files, 'readText'>,
  stateFolder: string,
  operation: string,
): Promise<OperationSummary | undefined> {
  try {
    const shown = await showOperation(files, stateFolder, operation)
    const first = shown?.records[0]
    if (!shown || first?.type !== 'planned') return undefined
    return {
      operation,
      name: first.plan.name,
      purpose: first.plan.purpose,
      user: first.actor.user,
      via: first.actor.via,
      started_at: first.at,
      ended_at: shown.progress.ended?.at,
      state: shown.progress.ended?.outcome ?? 'unfinished',
    }
  } catch (error) {
    const { code, why } = toAppError(error)
    // A folder in its place is damage too.
    if (code !== 'JOURNAL_DAMAGED' && code !== 'STATE_DAMAGED') throw error
    return {
      operation,
      name: '',
      purpose: why,
      user: '',
      via: '',
      started_at: '',
      ended_at: undefined,
      state: 'damaged',
    }
  }
}
