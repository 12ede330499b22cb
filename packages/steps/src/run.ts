import type { AppError } from '@caretaker/kernel/errors.ts'
import type { Ports } from '@caretaker/ports/ports.ts'
import { auditHead, createAuditLog } from './audit.ts'
import type { EmitEvent } from './events.ts'
import type { Journal } from './journal.ts'
import type { Actor } from './journal-records.ts'
import type { Plan, StepRegistry } from './plan.ts'
import { replay, type StepProgress } from './progress.ts'

export type RunnerPorts = Pick<Ports, 'files' | 'locks' | 'clock' | 'machine'>

export interface Runner {
  readonly ports: RunnerPorts
  readonly registry: StepRegistry
  readonly stateFolder: string
  readonly actor: Actor
  readonly pid: number
  readonly emit: EmitEvent
}

/**
 * Reason to give to `AbortController.abort` when the daemon stops: the operation pauses between two steps and the next
 * start goes on with it. With any other reason a person has cancelled, and decides.
 */
export const DAEMON_STOPS = 'daemon-stops'

/** Reason to give to `AbortController.abort` when somebody ends an operation from elsewhere by a command. */
export interface StoppedBy {
  readonly user: string
  /** What was typed. */
  readonly command: string
}

/** One operation under way. */
export interface Run {
  readonly runner: Runner
  readonly operation: string
  readonly plan: Plan
  readonly journal: Journal
  readonly signal: AbortSignal
}

/** How a step of this operation stands now. */
export function progressOf(run: Run, id: string): StepProgress {
  return replay(run.journal.records).steps.find((entry) => entry.step.id === id) as StepProgress
}

/** Journals, audits and tells that a step failed on the way forward. */
export async function recordFailure(run: Run, entry: StepProgress, error: AppError): Promise<void> {
  const report = error.toReport()
  await run.journal.append({ type: 'step-failed', at: now(run), step: entry.step.id, error: report })
  await audit(run, entry.step.id, 'failed', 0, report.code)
  run.runner.emit({ type: 'step-failed', operation: run.operation, step: entry.step.id, error: report })
}

/** Journals, audits and tells that a step could not be taken back. */
export async function recordUndoFailure(run: Run, entry: StepProgress, error: AppError): Promise<void> {
  const report = error.toReport()
  await run.journal.append({ type: 'undo-failed', at: now(run), step: entry.step.id, error: report })
  await audit(run, entry.step.id, 'undo-failed', 0, report.code)
  run.runner.emit({ type: 'undo-failed', operation: run.operation, step: entry.step.id, error: report })
}

/** Writes the line of a step, or of the operation itself ("-"), into the audit log. */
export async function audit(
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

/** Milliseconds that `work` took, whole. */
export async function timed(run: Run, work: () => Promise<void>): Promise<number> {
  const startedMs = run.runner.ports.clock.monotonicMs()
  await work()
  return Math.round(run.runner.ports.clock.monotonicMs() - startedMs)
}

export const now = (run: Run) => run.runner.ports.clock.now().toISOString()
