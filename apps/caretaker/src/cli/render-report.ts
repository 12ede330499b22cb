import type { UpReport } from '@caretaker/appliance/lifecycle/up.ts'
import type { ErrorReport } from '@caretaker/kernel/errors.ts'
import type { Preview } from '@caretaker/steps/preview.ts'
import type { OperationResult } from '@caretaker/steps/runner.ts'
import type { Style } from './style.ts'

const WAY_BACK = {
  undo: 'can be undone',
  'not-needed': 'may stay as it is',
  impossible: 'POINT OF NO RETURN',
  commit: 'from here on nothing is taken back',
} as const

/** The steps that will be taken, in order, each with its way back. */
export function renderPreviews(previews: readonly Preview[], style: Style): string {
  const taken = previews.flatMap((preview) => preview.steps.filter((step) => step.state !== 'done'))
  if (taken.length === 0) return 'Nothing to do: everything is as the config says.'
  const lines = previews.flatMap((preview) => {
    const steps = preview.steps.filter((step) => step.state !== 'done')
    if (steps.length === 0) return []
    const after =
      preview.on_failure === 'undo'
        ? 'after a failure it is taken back'
        : 'after a failure it stops there and can be repeated'
    return [
      `${style.bold(preview.purpose)} ${style.dim(`(${after})`)}`,
      ...steps.map((step, index) => {
        const back =
          step.way_back === 'impossible'
            ? style.warn(WAY_BACK.impossible)
            : style.dim(WAY_BACK[step.way_back])
        const blocked =
          step.state === 'blocked'
            ? `\n     ${style.bad('blocked:')} ${step.why}\n     next: ${step.next}`
            : ''
        return `  ${String(index + 1).padStart(2)}. ${step.summary} ${style.dim('—')} ${back}${blocked}`
      }),
    ]
  })
  return [...lines, '', style.dim('Nothing was changed (dry run).')].join('\n')
}

/** How a command of several operations ended; empty when not well: {@link problemsOf} says the rest. */
export function renderReport(report: UpReport, style: Style, done: string): string {
  const isWell = problemsOf(report).length === 0 && report.exit_code === 0
  if (isWell && report.not_started !== null)
    return `${style.warn('No application was started:')} ${report.not_started}`
  if (report.nothing_to_do) return 'Nothing to do: everything is as the config says.'
  return isWell ? style.good(done) : ''
}

/** Why a command of several operations did not do all it should. */
export function problemsOf(report: Partial<UpReport>): readonly ErrorReport[] {
  const { errors = [], warnings = [], operations = [] } = report
  const cancelled = operations.filter((entry) => entry.outcome === 'cancelled')
  const found = [...errors, ...warnings, ...cancelled.flatMap((entry) => problemsOfOperation(entry))]
  return found.length === 0 && report.exit_code === 130 ? [CANCELLED] : found
}

/** Between two operations. */
const CANCELLED: ErrorReport = {
  code: 'CANCELLED',
  what: 'Not everything was done',
  why: 'it was asked to stop, and did so between two operations',
  next: 'Type the same command again to go on; "caretaker status" shows what is up',
  exit_code: 130,
}

/** Why one operation is not done. */
export function problemsOfOperation(result: OperationResult): readonly ErrorReport[] {
  if (result.outcome !== 'cancelled') return result.errors
  return [
    ...result.errors,
    {
      code: 'CANCELLED',
      what: `The operation ${result.operation} is not finished`,
      why: 'it was asked to stop, and did so after the step under way',
      next: `"caretaker operation resume ${result.operation}" goes on, "caretaker operation undo ${result.operation}" takes it back`,
      exit_code: 130,
    },
  ]
}
