import type { ErrorReport } from '@caretaker/kernel/errors.ts'

export type JobTrigger = 'schedule' | 'catch-up' | 'person'

/** `cancelled`: a person stopped it. `interrupted`: it was ended otherwise, or the process that ran it died. */
export type JobResult = 'running' | 'done' | 'failed' | 'skipped' | 'timeout' | 'cancelled' | 'interrupted'

/** One run of a job, or one time it was left out. Instants are ISO 8601. */
export interface JobRun {
  readonly run: string
  readonly trigger: JobTrigger
  /** When it was due; null when a person ran it. */
  readonly scheduled_for: string | null
  /** How many due times this stands for: more than one when some were missed. */
  readonly due_times: number
  /** Null when it was skipped. */
  readonly started_at: string | null
  /** Null while it runs. */
  readonly ended_at: string | null
  /** Null while it runs, when it was skipped, and when nobody saw its end. */
  readonly duration_ms: number | null
  readonly result: JobResult
  /** Of the program it ran, if it ended by itself. */
  readonly exit_code: number | null
  /** Why it was skipped or interrupted, or who cancelled it. */
  readonly reason: string | null
  readonly error: ErrorReport | null
}

/** What happened, as it is appended. A skipped run is one `ended` record without a `started` one. */
export type HistoryRecord =
  /** From `at` on the job follows this schedule: nothing before was due by it. */
  | { readonly type: 'scheduled'; readonly at: string; readonly pattern: string; readonly zone: string }
  | { readonly type: 'started'; readonly run: JobRun }
  | { readonly type: 'ended'; readonly run: JobRun }

export interface JobHistory {
  readonly scheduled: Extract<HistoryRecord, { type: 'scheduled' }> | undefined
  /** Oldest first. A run without its end has the result `running`. */
  readonly runs: readonly JobRun[]
  /** How many of the newest runs were begun by the present schedule. */
  readonly runsOfSchedule: number
}

/** The history that follows from the records, which stand in the order in which they were appended. */
export function replayHistory(records: readonly HistoryRecord[]): JobHistory {
  const runs = new Map<string, JobRun>()
  let scheduled: JobHistory['scheduled']
  let earlier = 0
  for (const record of records) {
    if (record.type === 'scheduled') {
      scheduled = record
      earlier = runs.size
    } else runs.set(record.run.run, record.run)
  }
  return { scheduled, runs: [...runs.values()], runsOfSchedule: runs.size - earlier }
}

/** The fewest records that tell the newest `kept` runs. */
export function compactRecords(
  { scheduled, runs, runsOfSchedule }: JobHistory,
  kept: number,
): readonly HistoryRecord[] {
  const records = runs.map(
    (run): HistoryRecord => ({ type: run.result === 'running' ? 'started' : 'ended', run }),
  )
  const earlier = records.length - runsOfSchedule
  return [
    ...records.slice(0, earlier).slice(Math.max(0, records.length - kept)),
    ...(scheduled ? [scheduled] : []),
    ...records.slice(earlier).slice(-kept),
  ]
}

/** The records in the text of a history. What is not whole, as the tail that a crash tore, is left out. */
export function parseHistory(text: string): readonly HistoryRecord[] {
  return text.split('\n').flatMap((line): HistoryRecord[] => {
    const record = parseLine(line)
    return isRecord(record) ? [record] : []
  })
}

function parseLine(line: string): unknown {
  try {
    return JSON.parse(line) as unknown
  } catch {
    return undefined
  }
}

function isRecord(value: unknown): value is HistoryRecord {
  if (typeof value !== 'object' || value === null || !('type' in value)) return false
  if (value.type === 'scheduled') return 'at' in value && 'pattern' in value && 'zone' in value
  if (value.type !== 'started' && value.type !== 'ended') return false
  const run = 'run' in value ? value.run : undefined
  return typeof run === 'object' && run !== null && 'run' in run && 'result' in run
}
