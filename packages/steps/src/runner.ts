import { AppError, type ErrorReport, toAppError } from '@caretaker/kernel/errors.ts'
import type { ExitCode } from '@caretaker/kernel/exit-codes.ts'
import { operationId } from '@caretaker/kernel/ids.ts'
import type { Ports } from '@caretaker/ports/ports.ts'
import { auditHead, createAuditLog } from './audit.ts'
import type { EmitEvent, Outcome } from './events.ts'
import { createJournal, type Journal, journalPath, openJournal } from './journal.ts'
import type { Actor } from './journal-records.ts'
import { withOperationLock } from './operation-lock.ts'
import type { Plan, StepRegistry } from './plan.ts'
import { replay, type StepProgress } from './progress.ts'
import { applyStep, checkStep, undoStep } from './take-step.ts'

/** A step that ends the process this many times is not tried again. */
export const MAX_CRASHES = 3

export type RunnerPorts = Pick<Ports, 'files' | 'locks' | 'clock' | 'machine'>

export interface Runner {
  readonly ports: RunnerPorts
  readonly registry: StepRegistry
  readonly stateFolder: string
  readonly actor: Actor
  readonly pid: number
  readonly emit: EmitEvent
}

export interface OperationResult {
  readonly operation: string
  readonly outcome: Outcome
  readonly errors: readonly ErrorReport[]
  readonly steps: readonly { readonly id: string; readonly state: StepProgress['state'] }[]
  readonly exit_code: ExitCode
}

/**
 * Takes the steps of a plan under the lock. Returns, whatever happens to a step; the outcome says how it ended.
 * @throws AppError LOCKED before anything is written.
 */
export async function runPlan(runner: Runner, plan: Plan, signal: AbortSignal): Promise<OperationResult> {
  return withOperationLock(runner.ports, runner.stateFolder, claimOf(runner, plan.purpose), () =>
    runPlanLocked(runner, plan, signal),
  )
}

/** {@link runPlan} for a caller that holds the lock already. */
export async function runPlanLocked(
  runner: Runner,
  plan: Plan,
  signal: AbortSignal,
): Promise<OperationResult> {
  const { clock, files, machine } = runner.ports
  const operation = operationId(plan.name, clock.now())
  const journal = await createJournal(files, journalPath(runner.stateFolder, operation), {
    type: 'planned',
    at: clock.now().toISOString(),
    operation,
    plan,
    actor: runner.actor,
    boot_id: await machine.bootId(),
  })
  return drive({ runner, operation, plan, journal, signal }, false)
}

/**
 * Goes on with an operation that a crash or a person interrupted: forward as far as its plan allows, or back.
 * @throws AppError OPERATION_UNKNOWN, OPERATION_ENDED, JOURNAL_DAMAGED, LOCKED.
 */
export async function resumeOperation(
  runner: Runner,
  operation: string,
  wanted: 'resume' | 'undo',
  signal: AbortSignal,
): Promise<OperationResult> {
  return withOperationLock(
    runner.ports,
    runner.stateFolder,
    claimOf(runner, `${wanted} ${operation}`),
    async () => resumeOperationLocked(runner, operation, wanted, signal),
  )
}

/** {@link resumeOperation} for a caller that holds the lock already. */
export async function resumeOperationLocked(
  runner: Runner,
  operation: string,
  wanted: 'resume' | 'undo',
  signal: AbortSignal,
): Promise<OperationResult> {
  const { clock, files, machine } = runner.ports
  const journal = await openJournal(files, journalPath(runner.stateFolder, operation))
  const first = journal?.records[0]
  if (!journal || first?.type !== 'planned') throw unknownOperation(operation)
  const progress = replay(journal.records)
  if (progress.ended && !(wanted === 'undo' && canUndoAfterEnd(progress.ended.outcome, first.plan))) {
    throw new AppError('OPERATION_ENDED', {
      what: `The operation ${operation} was not touched`,
      why: `it has ended (${progress.ended.outcome})`,
      next: `"caretaker operation show ${operation}" tells how; repeat the command that it was to do it anew`,
    })
  }
  await journal.append({
    type: 'resumed',
    at: clock.now().toISOString(),
    boot_id: await machine.bootId(),
    direction: wanted === 'undo' || progress.direction === 'back' ? 'back' : 'forward',
  })
  return drive({ runner, operation, plan: first.plan, journal, signal }, true)
}

/** What stopped half-way can still be taken back; what is done or undone cannot by this door. */
function canUndoAfterEnd(outcome: Outcome, plan: Plan): boolean {
  return outcome === 'stopped' && plan.steps.some((step) => step.wayBack === 'undo')
}

function unknownOperation(operation: string): AppError {
  return new AppError('OPERATION_UNKNOWN', {
    what: `The operation ${operation} was not found`,
    why: 'the state folder holds no journal of it',
    next: 'Run "caretaker operation list" for the ids',
  })
}

const claimOf = (runner: Runner, purpose: string) => ({ actor: runner.actor, purpose, pid: runner.pid })

/** One operation under way. */
export interface Run {
  readonly runner: Runner
  readonly operation: string
  readonly plan: Plan
  readonly journal: Journal
  readonly signal: AbortSignal
}

async function drive(run: Run, resumed: boolean): Promise<OperationResult> {
  const { runner, operation, plan, journal } = run
  const startedMs = runner.ports.clock.monotonicMs()
  runner.emit({ type: 'operation-started', operation, plan, resumed })
  const outcome = await forwardOrBack(run)
  const progress = replay(journal.records)
  const result: OperationResult = {
    operation,
    outcome,
    errors: progress.errors,
    steps: progress.steps.map((entry) => ({ id: entry.step.id, state: entry.state })),
    exit_code: exitCodeOf(outcome, progress.steps, progress.errors),
  }
  const durationMs = Math.round(runner.ports.clock.monotonicMs() - startedMs)
  await createAuditLog(runner.ports.files, runner.stateFolder).write({
    at: runner.ports.clock.now().toISOString(),
    ...auditHead(runner.actor, operation, plan.purpose),
    step: '-',
    result: outcome,
    duration_ms: durationMs,
    ...(progress.errors[0] ? { error: progress.errors[0].code } : {}),
  })
  runner.emit({ type: 'operation-ended', operation, outcome, errors: result.errors, duration_ms: durationMs })
  return result
}

async function forwardOrBack(run: Run): Promise<Outcome> {
  try {
    if (replay(run.journal.records).direction === 'forward') {
      const end = await goForward(run)
      if (end === 'done') return endWith(run, 'done')
      if (end === 'stop') return endWith(run, 'stopped')
      await run.journal.append({ type: 'undo-begun', at: now(run) })
    }
    run.runner.emit({ type: 'undo-begun', operation: run.operation })
    return endWith(run, await goBack(run))
  } catch (error) {
    const reported = toAppError(error)
    if (reported.code !== 'CANCELLED') throw error
    await run.journal.append({ type: 'paused', at: now(run), error: reported.toReport() })
    return 'cancelled'
  }
}

/** Takes every step that is not yet in effect. */
async function goForward(run: Run): Promise<'done' | 'undo' | 'stop'> {
  for (const { step } of replay(run.journal.records).steps) {
    const entry = progressOf(run, step.id)
    if (entry.state === 'applied' || entry.state === 'skipped') continue
    if (entry.crashes >= MAX_CRASHES) {
      await recordFailure(run, entry, keepsCrashing(entry, 'apply'))
      return run.plan.onFailure
    }
    throwIfCancelled(run)
    try {
      await takeStep(run, entry)
    } catch (error) {
      const reported = toAppError(error)
      if (reported.code === 'CANCELLED') throw error
      await recordFailure(run, entry, reported)
      return run.plan.onFailure
    }
  }
  return 'done'
}

async function takeStep(run: Run, entry: StepProgress): Promise<void> {
  const { step } = entry
  const found = await checkStep(run, step)
  // A step that was under way when the process died is applied again: its effect may be there in part only.
  if (found.state === 'done' && entry.state === 'not-run') {
    await run.journal.append({ type: 'step-skipped', at: now(run), step: step.id })
    run.runner.emit({ type: 'step-skipped', operation: run.operation, step: step.id })
    return
  }
  if (found.state === 'blocked') {
    throw new AppError('STEP_BLOCKED', {
      what: `"${step.summary}" was not done`,
      why: found.why,
      next: found.next,
    })
  }
  const before = entry.before ?? (found.state === 'needed' ? found.before : null)
  await run.journal.append({ type: 'step-started', at: now(run), step: step.id, before })
  run.runner.emit({ type: 'step-started', operation: run.operation, step: step.id, summary: step.summary })
  const durationMs = await timed(run, () => applyStep(run, step, before))
  await run.journal.append({ type: 'step-applied', at: now(run), step: step.id, duration_ms: durationMs })
  await audit(run, step.id, 'applied', durationMs)
  run.runner.emit({ type: 'step-applied', operation: run.operation, step: step.id, duration_ms: durationMs })
}

/** Takes back what was taken, last first, as far as there is a way back. */
async function goBack(run: Run): Promise<'undone' | 'stopped'> {
  for (const { step } of replay(run.journal.records).steps.toReversed()) {
    const entry = progressOf(run, step.id)
    if (!['started', 'applied', 'failed', 'undoing', 'undo-failed'].includes(entry.state)) continue
    if (entry.before === undefined || step.wayBack === 'not-needed') continue
    if (step.wayBack === 'impossible') {
      await recordUndoFailure(run, entry, cannotUndo(entry))
      return 'stopped'
    }
    if (entry.crashes >= MAX_CRASHES) {
      await recordUndoFailure(run, entry, keepsCrashing(entry, 'undo'))
      return 'stopped'
    }
    throwIfCancelled(run)
    await run.journal.append({ type: 'undo-started', at: now(run), step: step.id })
    run.runner.emit({ type: 'undo-started', operation: run.operation, step: step.id })
    try {
      const durationMs = await timed(run, () => undoStep(run, step, entry.before ?? null))
      await run.journal.append({ type: 'step-undone', at: now(run), step: step.id, duration_ms: durationMs })
      await audit(run, step.id, 'undone', durationMs)
      run.runner.emit({
        type: 'step-undone',
        operation: run.operation,
        step: step.id,
        duration_ms: durationMs,
      })
    } catch (error) {
      const reported = toAppError(error)
      if (reported.code === 'CANCELLED') throw error
      await recordUndoFailure(run, entry, reported)
      return 'stopped'
    }
  }
  return 'undone'
}

async function recordFailure(run: Run, entry: StepProgress, error: AppError): Promise<void> {
  const report = error.toReport()
  await run.journal.append({ type: 'step-failed', at: now(run), step: entry.step.id, error: report })
  await audit(run, entry.step.id, 'failed', 0, report.code)
  run.runner.emit({ type: 'step-failed', operation: run.operation, step: entry.step.id, error: report })
}

async function recordUndoFailure(run: Run, entry: StepProgress, error: AppError): Promise<void> {
  const report = error.toReport()
  await run.journal.append({ type: 'undo-failed', at: now(run), step: entry.step.id, error: report })
  await audit(run, entry.step.id, 'undo-failed', 0, report.code)
  run.runner.emit({ type: 'undo-failed', operation: run.operation, step: entry.step.id, error: report })
}

async function endWith<Ended extends 'done' | 'undone' | 'stopped'>(
  run: Run,
  outcome: Ended,
): Promise<Ended> {
  await run.journal.append({
    type: 'ended',
    at: now(run),
    outcome,
    errors: replay(run.journal.records).errors,
  })
  return outcome
}

async function audit(
  run: Run,
  step: string,
  result: string,
  durationMs: number,
  error?: string,
): Promise<void> {
  await createAuditLog(run.runner.ports.files, run.runner.stateFolder).write({
    at: now(run),
    ...auditHead(run.runner.actor, run.operation, run.plan.purpose),
    step,
    result,
    duration_ms: durationMs,
    ...(error === undefined ? {} : { error }),
  })
}

/**
 * 0 done; 130 cancelled; 4 taken back; for what stopped: 1 when nothing had been changed, 5 when the way back failed
 * too or the failure itself says that it is not safe, else 3.
 */
function exitCodeOf(
  outcome: Outcome,
  steps: readonly StepProgress[],
  errors: readonly ErrorReport[],
): ExitCode {
  if (outcome === 'done') return 0
  if (outcome === 'cancelled') return 130
  const first = errors[0]?.exit_code ?? 1
  const changed = steps.some((entry) => entry.before !== undefined)
  if (outcome === 'undone') return changed ? 4 : first
  if (errors.length > 1) return 5
  return changed && first === 1 ? 3 : first
}

function progressOf(run: Run, id: string): StepProgress {
  return replay(run.journal.records).steps.find((entry) => entry.step.id === id) as StepProgress
}

async function timed(run: Run, work: () => Promise<void>): Promise<number> {
  const startedMs = run.runner.ports.clock.monotonicMs()
  await work()
  return Math.round(run.runner.ports.clock.monotonicMs() - startedMs)
}

const now = (run: Run) => run.runner.ports.clock.now().toISOString()

function throwIfCancelled(run: Run): void {
  if (!run.signal.aborted) return
  throw new AppError('CANCELLED', {
    what: `"${run.plan.purpose}" was cancelled`,
    why: 'a person or a stopping daemon asked for it',
    next: `"caretaker operation resume ${run.operation}" goes on, "caretaker operation undo ${run.operation}" takes it back`,
  })
}

function keepsCrashing(entry: StepProgress, way: 'apply' | 'undo'): AppError {
  return new AppError('STEP_KEEPS_CRASHING', {
    what: `"${entry.step.summary}" is not tried again`,
    why: `caretaker was ended ${entry.crashes} times while ${way === 'apply' ? 'doing' : 'undoing'} it`,
    next: 'Look at "dmesg" (out of memory, disk errors) and "caretaker logs", then resume the operation',
  })
}

function cannotUndo(entry: StepProgress): AppError {
  return new AppError('UNDO_IMPOSSIBLE', {
    what: `"${entry.step.summary}" stays done`,
    why: 'this step is a point of no return: it and what came before it cannot be taken back',
    next: 'Correct the cause of the failure, then repeat the command: it goes on from here',
  })
}
