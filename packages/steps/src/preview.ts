import type { Plan, PlannedStep, StepRegistry, WayBack } from './plan.ts'

/** One line of a dry run. */
export interface PreviewedStep {
  readonly id: string
  readonly summary: string
  readonly way_back: WayBack
  /** `take`: it will be taken. `done`: already in effect. `blocked`: it would fail now, `why` says it. */
  readonly state: 'take' | 'done' | 'blocked'
  readonly why?: string
  readonly next?: string
}

export interface Preview {
  readonly name: string
  readonly purpose: string
  readonly on_failure: Plan['onFailure']
  readonly steps: readonly PreviewedStep[]
}

/**
 * What `runPlan` would do with this plan now. Looks only. Where a plan is taken back as a whole its steps build on each
 * other: what comes after the first that will be taken is not asked, as it will look different then.
 */
export async function previewPlan(registry: StepRegistry, plan: Plan, signal: AbortSignal): Promise<Preview> {
  const steps: PreviewedStep[] = []
  let isBegun = false
  for (const step of plan.steps) {
    const previewed: PreviewedStep = isBegun ? taken(step) : await previewStep(registry, step, signal)
    steps.push(previewed)
    isBegun ||= plan.onInterruption === 'go-back' && previewed.state === 'take'
  }
  return { name: plan.name, purpose: plan.purpose, on_failure: plan.onFailure, steps }
}

const taken = ({ id, summary, wayBack }: PlannedStep): PreviewedStep => ({
  id,
  summary,
  way_back: wayBack,
  state: 'take',
})

/** Whether every step of the plan is in effect already. */
export function isNothingToDo(preview: Preview): boolean {
  return preview.steps.every((step) => step.state === 'done')
}

async function previewStep(
  registry: StepRegistry,
  step: PlannedStep,
  signal: AbortSignal,
): Promise<PreviewedStep> {
  const definition = registry.get(step.kind)
  if (!definition) throw new Error(`the plan holds a step of the unknown kind ${step.kind}`)
  const head = { id: step.id, summary: step.summary, way_back: step.wayBack }
  const found = await definition.check(step.input, { signal, progress: () => undefined })
  if (found.state === 'blocked') return { ...head, state: 'blocked', why: found.why, next: found.next }
  return { ...head, state: found.state === 'done' ? 'done' : 'take' }
}
