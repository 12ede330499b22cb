import type { ErrorReport } from '@caretaker/kernel/errors.ts'
import type { Json } from '@caretaker/kernel/json.ts'
import type { Outcome } from './events.ts'
import type { Plan } from './plan.ts'

/** Who asked for an operation and from where. */
export interface Actor {
  readonly user: string
  /** As `command line`, `daemon`, `job`. */
  readonly via: string
}

/**
 * What a journal holds, one record a line, in the order it happened. A record is on disk (file and folder synced)
 * before what it announces begins, and after what it reports has happened.
 */
export type JournalRecord =
  | {
      readonly type: 'planned'
      readonly at: string
      readonly operation: string
      readonly plan: Plan
      readonly actor: Actor
      readonly boot_id: string
    }
  | {
      readonly type: 'resumed'
      readonly at: string
      readonly boot_id: string
      readonly direction: 'forward' | 'back'
      /** Why it turns back, when the interruption itself is the reason. */
      readonly error?: ErrorReport
    }
  | { readonly type: 'step-skipped'; readonly at: string; readonly step: string }
  | { readonly type: 'step-started'; readonly at: string; readonly step: string; readonly before: Json }
  | {
      readonly type: 'step-applied'
      readonly at: string
      readonly step: string
      readonly duration_ms: number
    }
  | { readonly type: 'step-failed'; readonly at: string; readonly step: string; readonly error: ErrorReport }
  | { readonly type: 'undo-begun'; readonly at: string }
  | { readonly type: 'undo-started'; readonly at: string; readonly step: string }
  | { readonly type: 'step-undone'; readonly at: string; readonly step: string; readonly duration_ms: number }
  | { readonly type: 'undo-failed'; readonly at: string; readonly step: string; readonly error: ErrorReport }
  | {
      readonly type: 'paused'
      readonly at: string
      readonly error: ErrorReport
      /** Who asked for it: what a person paused waits for that person, what a stopping daemon paused goes on by itself. */
      readonly by: 'person' | 'daemon'
    }
  | {
      readonly type: 'ended'
      readonly at: string
      readonly outcome: Exclude<Outcome, 'cancelled'>
      readonly errors: readonly ErrorReport[]
    }
