import type { ErrorReport } from '@caretaker/kernel/errors.ts'
import type { Json } from '@caretaker/kernel/json.ts'
import type { JournalRecord } from './journal-records.ts'
import type { PlannedStep } from './plan.ts'

/** How one step stands, as the journal tells it. */
export type StepState =
  | 'not-run'
  | 'skipped'
  | 'started'
  | 'applied'
  | 'failed'
  | 'undoing'
  | 'undone'
  | 'undo-failed'

export interface StepProgress {
  readonly step: PlannedStep
  readonly state: StepState
  /** Recorded before the first apply; the truth about what was there, whatever is there now. */
  readonly before: Json | undefined
  /** How often the process died while this apply or this undo was under way. */
  readonly crashes: number
}

/** An operation as its journal tells it. */
export interface OperationProgress {
  readonly direction: 'forward' | 'back'
  readonly steps: readonly StepProgress[]
  /** Why it failed so far, in order. */
  readonly errors: readonly ErrorReport[]
  readonly ended: Extract<JournalRecord, { type: 'ended' }> | undefined
  readonly paused: boolean
  /** A person paused it and decides how it goes on; nothing resumes it by itself. */
  readonly waitsForPerson: boolean
  /** A failure that ends the operation where it is has been recorded: nothing more is tried, only its end is missing. */
  readonly givenUp: boolean
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

/** Replays the records. Pure: the same journal always gives the same progress. */
export function replay(records: readonly JournalRecord[]): OperationProgress {
  const first = records[0]
  if (first?.type !== 'planned') throw new Error('a journal begins with its plan')
  const steps = first.plan.steps.map(
    (step): Mutable<StepProgress> => ({ step, state: 'not-run', before: undefined, crashes: 0 }),
  )
  const find = (id: string): Mutable<StepProgress> => {
    const found = steps.find((entry) => entry.step.id === id)
    if (!found) throw new Error(`the journal names the step ${id}, which is not in its plan`)
    return found
  }
  const progress: Mutable<OperationProgress> = {
    direction: 'forward',
    steps,
    errors: [],
    ended: undefined,
    paused: false,
    waitsForPerson: false,
    givenUp: false,
  }
  const turnBack = () => {
    if (progress.direction === 'forward') for (const step of steps) step.crashes = 0
    progress.direction = 'back'
  }
  const fail = (id: string, state: StepState, error: ErrorReport) => {
    find(id).state = state
    progress.errors = [...progress.errors, error]
  }
  for (const record of records) {
    switch (record.type) {
      case 'planned':
        break
      case 'resumed':
        if (progress.ended) reopen(progress, steps)
        else if (!progress.paused) countCrash(progress, steps)
        progress.paused = false
        progress.waitsForPerson = false
        if (record.error) progress.errors = [...progress.errors, record.error]
        if (record.direction === 'back') {
          if (progress.direction === 'forward') progress.givenUp = false
          turnBack()
        }
        break
      case 'step-skipped':
        Object.assign(find(record.step), { state: 'skipped', crashes: 0 })
        break
      case 'step-started': {
        const step = find(record.step)
        step.state = 'started'
        if (step.before === undefined) step.before = record.before
        break
      }
      case 'step-applied':
        Object.assign(find(record.step), { state: 'applied', crashes: 0 })
        break
      case 'step-failed':
        fail(record.step, 'failed', record.error)
        if (first.plan.onFailure === 'undo') turnBack()
        else progress.givenUp = true
        break
      case 'undo-begun':
        turnBack()
        break
      case 'undo-started':
        find(record.step).state = 'undoing'
        break
      case 'step-undone':
        Object.assign(find(record.step), { state: 'undone', crashes: 0 })
        break
      case 'undo-failed':
        fail(record.step, 'undo-failed', record.error)
        progress.givenUp = true
        break
      case 'paused':
        progress.paused = true
        progress.waitsForPerson = record.by === 'person'
        break
      case 'ended':
        progress.ended = record
        break
    }
  }
  return progress
}

/** A person asked to take back what had stopped: what was given up is tried again. */
function reopen(progress: Mutable<OperationProgress>, steps: Mutable<StepProgress>[]): void {
  progress.ended = undefined
  progress.givenUp = false
  for (const step of steps) step.crashes = 0
}

/** The crash is laid on the step that was under way; on the way forward also on the next one, whose check may have done it. */
function countCrash(progress: Mutable<OperationProgress>, steps: Mutable<StepProgress>[]): void {
  const found =
    progress.direction === 'back'
      ? steps.find((entry) => entry.state === 'undoing')
      : (steps.find((entry) => entry.state === 'started') ?? steps.find((entry) => entry.state === 'not-run'))
  if (found) found.crashes += 1
}
