import { AppError, type ErrorReport, toAppError } from '@caretaker/kernel/errors.ts'
import type { ExitCode } from '@caretaker/kernel/exit-codes.ts'
import type { Outcome } from './events.ts'
import { createJournal, isOperationId, journalPath, openJournal } from './journal.ts'
import { nextOperationId } from './operation-ids.ts'
import { withOperationLock } from './operation-lock.ts'
import type { Plan } from './plan.ts'
import { replay, type StepProgress } from './progress.ts'
import { interrupted, unknownOperation } from './refusals.ts'
import { audit, DAEMON_STOPS, now, type Run, type Runner } from './run.ts'
import { goBack, goForward, isCommitted, steadfast } from './travel.ts'

export type { Run, Runner, RunnerPorts } from './run.ts'
export { DAEMON_STOPS } from './run.ts'
export { MAX_CRASHES } from './travel.ts'

export interface OperationResult {
  readonly operation: string
  readonly outcome: Outcome
  readonly errors: readonly ErrorReport[]
  readonly steps: readonly { readonly id: string; readonly state: StepProgress['state'] }[]
  readonly exit_code: ExitCode
}

/**
 * Takes the steps of a plan under the lock. Returns, whatever happens to a step; the outcome says how it ended.
 * @throws AppError LOCKED before anything is written; DISK_FULL, READ_ONLY or NO_PERMISSION when the journal cannot be
 * written: then the operation is unfinished, to be resumed.
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
  const operation = await nextOperationId(files, runner.stateFolder, plan.name, clock.now())
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
  if (!isOperationId(operation)) throw unknownOperation(operation)
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
  const run: Run = { runner, operation, plan: first.plan, journal, signal }
  const turnsBack =
    wanted === 'resume' &&
    progress.direction === 'forward' &&
    first.plan.onInterruption === 'go-back' &&
    !(await isCommitted(run))
  await journal.append({
    type: 'resumed',
    at: clock.now().toISOString(),
    boot_id: await machine.bootId(),
    direction: wanted === 'undo' || turnsBack || progress.direction === 'back' ? 'back' : 'forward',
    ...(turnsBack ? { error: interrupted(first.plan, progress).toReport() } : {}),
  })
  return drive(run, true)
}

/** What stopped half-way can still be taken back; what is done or undone cannot by this door. */
function canUndoAfterEnd(outcome: Outcome, plan: Plan): boolean {
  return outcome === 'stopped' && plan.steps.some((step) => step.wayBack === 'undo')
}

const claimOf = (runner: Runner, purpose: string) => ({ actor: runner.actor, purpose, pid: runner.pid })

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
  await audit(run, '-', outcome, durationMs, progress.errors[0]?.code)
  runner.emit({ type: 'operation-ended', operation, outcome, errors: result.errors, duration_ms: durationMs })
  return result
}

async function forwardOrBack(run: Run): Promise<Outcome> {
  try {
    const { givenUp, direction } = replay(run.journal.records)
    if (givenUp) return await endWith(run, 'stopped')
    if (direction === 'forward') {
      const end = await goForward(run)
      if (end === 'done') return await endWith(run, 'done')
      if (end === 'stop') return await endWith(run, 'stopped')
      await run.journal.append({ type: 'undo-begun', at: now(run) })
    }
    run.runner.emit({ type: 'undo-begun', operation: run.operation })
    return await endWith(run, await goBack(run.plan.onInterruption === 'go-back' ? steadfast(run) : run))
  } catch (error) {
    const reported = toAppError(error)
    if (reported.code !== 'CANCELLED') throw reported
    const by = run.signal.reason === DAEMON_STOPS ? 'daemon' : 'person'
    await run.journal.append({ type: 'paused', at: now(run), error: reported.toReport(), by })
    return 'cancelled'
  }
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
