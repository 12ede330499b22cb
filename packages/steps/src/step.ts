import type { AppError } from '@caretaker/kernel/errors.ts'
import type { Json } from '@caretaker/kernel/json.ts'

/**
 * What `check` found. `before` is what `undo` needs; it is journalled, so it must be JSON and hold no secret. `because`
 * gives the reason why the effect is not there when it should be: it is asked right after an `apply` that ended well.
 */
export type Check<Before extends Json> =
  | { readonly state: 'done' }
  | { readonly state: 'needed'; readonly before: Before; readonly because?: () => AppError }
  | { readonly state: 'blocked'; readonly why: string; readonly next: string }

/** What a step may use while it works. */
export interface StepContext {
  /** Fires when a person cancels or the time of the step is over. */
  readonly signal: AbortSignal
  /** Says how far it is, for the person who waits. */
  readonly progress: (message: string) => void
}

/**
 * How a step can be taken back:
 * - a function: it is undone by it; safe to repeat, also after an `apply` that ended half-way;
 * - 'not-needed': nothing that anybody notices stays behind (something fetched, a look taken);
 * - 'impossible': the point of no return. Nothing before it is undone either, and the plan shows it.
 * - 'commit': what the whole plan is for takes effect here. Before it everything is taken back, after it nothing is:
 *   what fails later stops there. Whether it took effect is told by its `check`, also after an `apply` that failed.
 */
export type Undo<Input extends Json, Before extends Json> =
  | ((input: Input, before: Before, context: StepContext) => Promise<void>)
  | 'not-needed'
  | 'impossible'
  | 'commit'

/**
 * One kind of step. It is found by its `kind` when a journal is resumed by another process, perhaps of a newer
 * version: a kind, once released, keeps its name and the shape of its input.
 */
export interface StepDefinition<Input extends Json = Json, Before extends Json = Json> {
  /** As `storage.snapshot`: part and verb. */
  readonly kind: string
  /** One line for people, as "Take the snapshot pre-migrate of guestbook". */
  describe(input: Input): string
  /** Looks without changing anything. */
  check(input: Input, context: StepContext): Promise<Check<Before>>
  /** Does it. Safe to repeat after being interrupted anywhere. */
  apply(input: Input, before: Before, context: StepContext): Promise<void>
  readonly undo: Undo<Input, Before>
  /** Limit for `apply` and `undo` each, in ms. */
  readonly timeoutMs: number
}

/** Keeps the types of input and before together while the registry holds them untyped. */
export function defineStep<Input extends Json, Before extends Json>(
  definition: StepDefinition<Input, Before>,
): StepDefinition<Input, Before> {
  return definition
}
