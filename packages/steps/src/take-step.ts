import { AppError, toAppError } from '@caretaker/kernel/errors.ts'
import type { Json } from '@caretaker/kernel/json.ts'
import { formatDuration } from '@caretaker/kernel/time.ts'
import type { PlannedStep } from './plan.ts'
import { cancelled } from './refusals.ts'
import type { Run } from './run.ts'
import type { Check, StepContext, StepDefinition } from './step.ts'

/** Limit for a look at how things stand. */
const CHECK_TIMEOUT_MS = 60_000
/** How long a step that was given up may take to let go, so that it is not taken back while it still works. */
export const LET_GO_MS = 30_000

/** @throws AppError STEP_UNKNOWN, STEP_TIMEOUT, or what the check throws. */
export async function checkStep(run: Run, step: PlannedStep): Promise<Check<Json>> {
  const definition = definitionOf(run, step)
  return limited(run, step, CHECK_TIMEOUT_MS, (context) => definition.check(step.input, context))
}

/**
 * Applies and then looks whether the effect is there.
 * @throws AppError STEP_NOT_EFFECTIVE or the reason that the check knows, STEP_TIMEOUT, or what the step throws.
 */
export async function applyStep(run: Run, step: PlannedStep, before: Json): Promise<void> {
  const definition = definitionOf(run, step)
  await limited(run, step, definition.timeoutMs, (context) => definition.apply(step.input, before, context))
  const after = await checkStep(run, step)
  if (after.state === 'done') return
  if (after.state === 'needed' && after.because) throw after.because()
  throw new AppError('STEP_NOT_EFFECTIVE', {
    what: `"${step.summary}" had no effect`,
    why: after.state === 'blocked' ? after.why : 'it ended without error, but its result is not there',
    next: after.state === 'blocked' ? after.next : 'Look at "caretaker logs", then repeat the command',
  })
}

/** @throws AppError STEP_TIMEOUT, or what the undo throws. */
export async function undoStep(run: Run, step: PlannedStep, before: Json): Promise<void> {
  const definition = definitionOf(run, step)
  const { undo } = definition
  if (typeof undo !== 'function') return
  await limited(run, step, definition.timeoutMs, (context) => undo(step.input, before, context))
}

function definitionOf(run: Run, step: PlannedStep): StepDefinition {
  const definition = run.runner.registry.get(step.kind)
  if (definition) return definition
  throw new AppError('STEP_UNKNOWN', {
    what: `"${step.summary}" cannot be taken`,
    why: `this version of caretaker knows no step of the kind ${step.kind}`,
    next: 'Use the version that began the operation',
  })
}

async function limited<T>(
  run: Run,
  step: PlannedStep,
  limitMs: number,
  work: (context: StepContext) => Promise<T>,
): Promise<T> {
  const { clock } = run.runner.ports
  const overdue = new AbortController()
  const finished = new AbortController()
  const signal = AbortSignal.any([run.signal, overdue.signal])
  const context: StepContext = {
    signal,
    progress: (message) =>
      run.runner.emit({ type: 'step-progress', operation: run.operation, step: step.id, message }),
  }
  try {
    const working = work(context)
    const first = await Promise.race([
      working.then((value) => ({ value })),
      clock.wait(limitMs, finished.signal).then(() => 'over' as const),
    ])
    if (first !== 'over') return first.value
    overdue.abort()
    await Promise.race([Promise.allSettled([working]), clock.wait(LET_GO_MS, finished.signal)])
    throw new AppError('STEP_TIMEOUT', {
      what: `"${step.summary}" was given up`,
      why: `it did not end within ${formatDuration(limitMs)}`,
      next: 'Look at "caretaker logs" for what it waits for, then repeat the command',
    })
  } catch (error) {
    const isAbort = error === run.signal.reason || (error instanceof Error && error.name === 'AbortError')
    if (run.signal.aborted && isAbort) throw cancelled(run)
    throw toAppError(error)
  } finally {
    finished.abort()
  }
}
