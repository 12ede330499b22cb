import type { Json } from '@caretaker/kernel/json.ts'
import type { StepDefinition } from './step.ts'

export type WayBack = 'undo' | 'not-needed' | 'impossible' | 'commit'

/** One step of a plan, as data: enough for another process to take it. */
export interface PlannedStep {
  /** Unique within the plan, as `guestbook/storage.snapshot`. */
  readonly id: string
  readonly kind: string
  readonly input: Json
  readonly summary: string
  readonly wayBack: WayBack
}

/** The steps an operation will take, in order. Plain JSON. */
export interface Plan {
  /** Name of the operation, as `up`. */
  readonly name: string
  /** What it is for, in words: shown by the lock and the audit log. */
  readonly purpose: string
  /** After a failure: take back what was done, or stop there (the operation can be repeated). */
  readonly onFailure: 'undo' | 'stop'
  /**
   * What becomes of it when the process dies in the middle or somebody cancels: by default it can be gone on with.
   * `go-back`: it is taken back like after a failure, unless it is committed; then it is finished, cancelled or not.
   */
  readonly onInterruption?: 'go-back'
  readonly steps: readonly PlannedStep[]
}

/** The kinds of steps that this program knows. */
export type StepRegistry = ReadonlyMap<string, StepDefinition>

/** @throws Error when two definitions share a kind. */
// biome-ignore lint/suspicious/noExplicitAny: the registry forgets the types that defineStep checked
// oxlint-disable-next-line typescript/no-explicit-any
export function createRegistry(definitions: readonly StepDefinition<any, any>[]): StepRegistry {
  const registry = new Map<string, StepDefinition>()
  for (const definition of definitions) {
    if (registry.has(definition.kind)) throw new Error(`two step definitions of kind ${definition.kind}`)
    registry.set(definition.kind, definition as StepDefinition)
  }
  return registry
}

/** A planned step made from its definition, so that summary and way back always agree with it. */
export function planStep<Input extends Json, Before extends Json>(
  definition: StepDefinition<Input, Before>,
  input: Input,
  scope: string,
): PlannedStep {
  return {
    id: `${scope}/${definition.kind}`,
    kind: definition.kind,
    input,
    summary: definition.describe(input),
    wayBack: typeof definition.undo === 'function' ? 'undo' : definition.undo,
  }
}

/** @throws Error when two steps share an id: the journal could not tell them apart. */
export function createPlan(plan: Plan): Plan {
  const ids = new Set(plan.steps.map((step) => step.id))
  if (ids.size !== plan.steps.length) {
    const repeated = plan.steps.find(
      (step, index) => plan.steps.findIndex((other) => other.id === step.id) !== index,
    )
    throw new Error(`plan ${plan.name} has two steps with the id ${repeated?.id}`)
  }
  return Object.freeze(plan)
}
