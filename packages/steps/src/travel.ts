import { type AppError, toAppError } from '@caretaker/kernel/errors.ts'
import { MINUTE_MS, SECOND_MS } from '@caretaker/kernel/time.ts'
import type { PlannedStep } from './plan.ts'
import type { StepProgress } from './progress.ts'
import { blocked, cancelled, cannotUndo, keepsCrashing } from './refusals.ts'
import { audit, now, progressOf, type Run, recordFailure, recordUndoFailure, timed } from './run.ts'
import { applyStep, checkStep, undoStep } from './take-step.ts'

/** A step that ends the process this many times is not tried again. */
export const MAX_CRASHES = 3
/**
 * Where a plan must come to an end (on its way back, and after its commit) a step that fails is tried again after these
 * pauses: what it needs, as a database or an engine that was killed, may be back by then.
 */
export const TRY_AGAIN_AFTER_MS: readonly number[] = [SECOND_MS, 5 * SECOND_MS, 15 * SECOND_MS]
/** No more than this after its first failure: what takes long to fail is not cured by waiting. */
const TRY_AGAIN_WITHIN_MS = 2 * MINUTE_MS

/**
 * Takes every step that is not yet in effect.
 * @throws AppError CANCELLED
 */
export async function goForward(given: Run): Promise<'done' | 'undo' | 'stop'> {
  const goesBack = given.plan.onInterruption === 'go-back'
  for (const step of given.plan.steps) {
    const isCommitted = hasCommitted(given)
    const run = goesBack && isCommitted ? steadfast(given) : given
    const entry = progressOf(run, step.id)
    if (entry.state === 'applied' || entry.state === 'skipped') continue
    if (!goesBack) throwIfCancelled(run)
    const failure = await failureOf(goesBack, async () => {
      throwIfCancelled(run)
      if (entry.crashes >= MAX_CRASHES) throw keepsCrashing(entry, 'apply')
      const take = () => takeStep(run, progressOf(run, step.id))
      await (goesBack && isCommitted ? persistently(run, step, take) : take())
    })
    if (!failure) continue
    // Whatever was interrupted in the middle: what matters is who asked for it, and that it is taken back.
    const why = goesBack && failure.code === 'CANCELLED' && run.signal.aborted ? cancelled(run) : failure
    if (step.wayBack === 'commit' && (await isInEffect(steadfast(run), step))) {
      await run.journal.append({ type: 'step-applied', at: now(run), step: step.id, duration_ms: 0 })
      continue
    }
    await recordFailure(run, entry, why)
    return isCommitted ? 'stop' : run.plan.onFailure
  }
  return 'done'
}

/** The same run when nobody can cancel it any more. */
export function steadfast(run: Run): Run {
  return { ...run, signal: new AbortController().signal }
}

/** Whether the plan is past its commit, as its journal tells. */
function hasCommitted(run: Run): boolean {
  return run.plan.steps.some(
    (step) => step.wayBack === 'commit' && ['applied', 'skipped'].includes(progressOf(run, step.id).state),
  )
}

/** Whether the plan is past its commit: where the process died in the middle of that, how things stand decides. */
export async function isCommitted(run: Run): Promise<boolean> {
  if (hasCommitted(run)) return true
  for (const step of run.plan.steps) {
    if (step.wayBack !== 'commit' || progressOf(run, step.id).before === undefined) continue
    if (await isInEffect(run, step)) return true
  }
  return false
}

async function isInEffect(run: Run, step: PlannedStep): Promise<boolean> {
  return (await checkStep(run, step)).state === 'done'
}

/**
 * Takes back what was taken, last first, as far as there is a way back.
 * @throws AppError CANCELLED
 */
export async function goBack(run: Run): Promise<'undone' | 'stopped'> {
  for (const step of run.plan.steps.toReversed()) {
    const entry = progressOf(run, step.id)
    if (!isToUndo(entry)) continue
    throwIfCancelled(run)
    if (step.wayBack === 'commit' && !(await isInEffect(run, step))) continue
    const failure = await failureOf(false, async () => {
      if (step.wayBack === 'impossible' || step.wayBack === 'commit') throw cannotUndo(entry)
      if (entry.crashes >= MAX_CRASHES) throw keepsCrashing(entry, 'undo')
      const take = () => takeBack(run, entry)
      await (run.plan.onInterruption === 'go-back' ? persistently(run, step, take) : take())
    })
    if (!failure) continue
    await recordUndoFailure(run, entry, failure)
    return 'stopped'
  }
  return 'undone'
}

async function persistently(run: Run, { id: step }: PlannedStep, take: () => Promise<void>): Promise<void> {
  const { operation, runner } = run
  const { clock } = runner.ports
  const untilMs = clock.monotonicMs() + TRY_AGAIN_WITHIN_MS
  for (const pauseMs of TRY_AGAIN_AFTER_MS) {
    const failure = await failureOf(false, take)
    if (!failure) return
    if (clock.monotonicMs() > untilMs) throw failure
    const message = `${failure.what}: ${failure.why}; it is tried again`
    runner.emit({ type: 'step-progress', operation, step, message })
    await clock.wait(pauseMs)
  }
  await take()
}

/** Its apply was begun and its effect, or a part of it, may still be there. */
function isToUndo(entry: StepProgress): boolean {
  const wasBegun = !['not-run', 'skipped', 'undone'].includes(entry.state) && entry.before !== undefined
  return wasBegun && entry.step.wayBack !== 'not-needed'
}

async function takeStep(run: Run, entry: StepProgress): Promise<void> {
  const { step } = entry
  const { operation } = run
  const found = await checkStep(run, step)
  // A step that was under way when the process died is applied again: its effect may be there in part only.
  if (found.state === 'done' && entry.before === undefined) {
    await run.journal.append({ type: 'step-skipped', at: now(run), step: step.id })
    run.runner.emit({ type: 'step-skipped', operation, step: step.id })
    return
  }
  if (found.state === 'blocked') throw blocked(step.summary, found)
  // What was there before the first try counts: what is there now may be half of the effect.
  const before =
    entry.before === undefined && found.state === 'needed' ? found.before : (entry.before ?? null)
  await run.journal.append({ type: 'step-started', at: now(run), step: step.id, before })
  run.runner.emit({ type: 'step-started', operation, step: step.id, summary: step.summary })
  const durationMs = await timed(run, () => applyStep(run, step, before))
  await run.journal.append({ type: 'step-applied', at: now(run), step: step.id, duration_ms: durationMs })
  await audit(run, step.id, 'applied', durationMs)
  run.runner.emit({ type: 'step-applied', operation, step: step.id, duration_ms: durationMs })
}

async function takeBack(run: Run, { step, before }: StepProgress): Promise<void> {
  const { operation } = run
  await run.journal.append({ type: 'undo-started', at: now(run), step: step.id })
  run.runner.emit({ type: 'undo-started', operation, step: step.id })
  const durationMs = await timed(run, () => undoStep(run, step, before ?? null))
  await run.journal.append({ type: 'step-undone', at: now(run), step: step.id, duration_ms: durationMs })
  await audit(run, step.id, 'undone', durationMs)
  run.runner.emit({ type: 'step-undone', operation, step: step.id, duration_ms: durationMs })
}

/** Why `work` failed, undefined when it did not. A cancellation goes on to the caller unless it counts as a failure. */
async function failureOf(cancellationToo: boolean, work: () => Promise<void>): Promise<AppError | undefined> {
  try {
    await work()
    return undefined
  } catch (error) {
    const reported = toAppError(error)
    if (reported.code === 'CANCELLED' && !cancellationToo) throw reported
    return reported
  }
}

function throwIfCancelled(run: Run): void {
  if (run.signal.aborted) throw cancelled(run)
}
