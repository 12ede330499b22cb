import type { ErrorReport } from '@caretaker/kernel/errors.ts'
import type { Plan } from './plan.ts'

/**
 * - `done`: every step is in effect.
 * - `undone`: it failed and what was taken is taken back; the state before is in force.
 * - `stopped`: it failed and stays where it is; `errors` says why, with both reasons when the way back failed too.
 * - `cancelled`: a person stopped it between two steps; it can be resumed.
 */
export type Outcome = 'done' | 'undone' | 'stopped' | 'cancelled'

export type OperationEvent =
  | {
      readonly type: 'operation-started'
      readonly operation: string
      readonly plan: Plan
      readonly resumed: boolean
    }
  | { readonly type: 'step-skipped'; readonly operation: string; readonly step: string }
  | {
      readonly type: 'step-started'
      readonly operation: string
      readonly step: string
      readonly summary: string
    }
  | {
      readonly type: 'step-progress'
      readonly operation: string
      readonly step: string
      readonly message: string
    }
  | {
      readonly type: 'step-applied'
      readonly operation: string
      readonly step: string
      readonly duration_ms: number
    }
  | {
      readonly type: 'step-failed'
      readonly operation: string
      readonly step: string
      readonly error: ErrorReport
    }
  | { readonly type: 'undo-begun'; readonly operation: string }
  | { readonly type: 'undo-started'; readonly operation: string; readonly step: string }
  | {
      readonly type: 'step-undone'
      readonly operation: string
      readonly step: string
      readonly duration_ms: number
    }
  | {
      readonly type: 'undo-failed'
      readonly operation: string
      readonly step: string
      readonly error: ErrorReport
    }
  | {
      readonly type: 'operation-ended'
      readonly operation: string
      readonly outcome: Outcome
      readonly errors: readonly ErrorReport[]
      readonly duration_ms: number
    }

export type EmitEvent = (event: OperationEvent) => void

/** One emitter for several listeners; a listener that throws does not stop the operation. */
export function fanOut(...listeners: readonly EmitEvent[]): EmitEvent {
  return (event) => {
    for (const listener of listeners) {
      try {
        listener(event)
      } catch {
        // A terminal that went away must not fail an operation.
      }
    }
  }
}
