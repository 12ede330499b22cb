import { AppError } from '@caretaker/kernel/errors.ts'
import type { Plan } from './plan.ts'
import type { OperationProgress, StepProgress } from './progress.ts'
import { DAEMON_STOPS, type Run, type StoppedBy } from './run.ts'

/** CANCELLED: somebody stopped it. What is not taken back at once can go on or be taken back, and both ways are said. */
export function cancelled(run: Run): AppError {
  if (run.plan.onInterruption === 'go-back')
    return new AppError('CANCELLED', {
      what: `"${run.plan.purpose}" was cancelled and is taken back`,
      why: whoAsked(run.signal.reason),
      next: `"caretaker operation show ${run.operation}" tells how that ended, "caretaker status" what serves; repeat the command to begin anew`,
    })
  return new AppError('CANCELLED', {
    what: `"${run.plan.purpose}" was cancelled`,
    why: whoAsked(run.signal.reason),
    next: `"caretaker operation resume ${run.operation}" goes on, "caretaker operation undo ${run.operation}" takes it back`,
  })
}

/** Who has fired a signal, as its reason tells. */
function whoAsked(reason: unknown): string {
  if (reason === DAEMON_STOPS) return 'the daemon stops'
  const { user, command } = (reason ?? {}) as Partial<StoppedBy>
  if (user !== undefined && command !== undefined) return `${user} asked for it: "${command}"`
  return 'a person asked for it where it was begun (Ctrl-C, or the connection to there ended)'
}

/** STEP_BLOCKED: the check of a step says why it cannot be taken. */
export function blocked(summary: string, found: { readonly why: string; readonly next: string }): AppError {
  return new AppError('STEP_BLOCKED', { what: `"${summary}" was not done`, why: found.why, next: found.next })
}

/** STEP_KEEPS_CRASHING: the process died too often while this step was under way. */
export function keepsCrashing(entry: StepProgress, way: 'apply' | 'undo'): AppError {
  return new AppError('STEP_KEEPS_CRASHING', {
    what: `"${entry.step.summary}" is not tried again`,
    why: `caretaker was ended ${entry.crashes} times while ${way === 'apply' ? 'doing' : 'undoing'} it`,
    next: 'Look at "dmesg" (out of memory, disk errors) and "caretaker logs", then repeat the command',
  })
}

/** UNDO_IMPOSSIBLE: the way back ends at a point of no return. */
export function cannotUndo(entry: StepProgress): AppError {
  return new AppError('UNDO_IMPOSSIBLE', {
    what: `"${entry.step.summary}" stays done`,
    why: 'this step is a point of no return: it and what came before it cannot be taken back',
    next: 'Correct the cause of the failure, then repeat the command: it goes on from here',
  })
}

/** OPERATION_INTERRUPTED: it is taken back because the process died in the middle. */
export function interrupted(plan: Plan, { steps }: Pick<OperationProgress, 'steps'>): AppError {
  const last = steps.findLast((entry) => entry.before !== undefined)
  return new AppError('OPERATION_INTERRUPTED', {
    what: `"${plan.purpose}" was interrupted and is taken back`,
    why: `caretaker, or the machine, ended ${last ? `while or after "${last.step.summary}"` : 'before its first change'}`,
    next: 'Repeat the command when the cause is known ("dmesg", "journalctl -b -1")',
  })
}

/** OPERATION_UNKNOWN: no journal has this id. */
export function unknownOperation(operation: string): AppError {
  return new AppError('OPERATION_UNKNOWN', {
    what: `The operation ${operation} was not found`,
    why: 'the state folder holds no journal of it',
    next: 'Run "caretaker operation list" for the ids',
  })
}
