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
  }
  const fail = (id: string, state: StepState, error: ErrorReport) => {
    find(id).state = state
    progress.errors = [...progress.errors, error]
  }
  for (const record of records) {
    switch (record.type) {
      case 'planned':
        break
      case 'resumed': {
        if (!progress.paused) countCrash(steps)
        progress.paused = false
        if (record.direction === 'back' && progress.direction === 'forward') {
          progress.direction = 'back'
          for (const step of steps) step.crashes = 0
        }
        break
      }
      case 'step-skipped':
        find(record.step).state = 'skipped'
        break
      case 'step-started': {
        const step = find(record.step)
        step.state = 'started'
        step.before ??= record.before
        break
      }
      case 'step-applied':
        Object.assign(find(record.step), { state: 'applied', crashes: 0 })
        break
      case 'step-failed':
        fail(record.step, 'failed', record.error)
        break
      case 'undo-begun':
        progress.direction = 'back'
        for (const step of steps) step.crashes = 0
        break
      case 'undo-started':
        find(record.step).state = 'undoing'
        break
      case 'step-undone':
        Object.assign(find(record.step), { state: 'undone', crashes: 0 })
        break
      case 'undo-failed':
        fail(record.step, 'undo-failed', record.error)
        break
      case 'paused':
        progress.paused = true
        break
      case 'ended':
        progress.ended = record
        break
    }
  }
  return progress
}

function countCrash(steps: Mutable<StepProgress>[]): void {
  const underWay = steps.find((entry) => entry.state === 'started' || entry.state === 'undoing')
  if (underWay) underWay.crashes += 1
}
