import type { UpReport } from '@caretaker/appliance/lifecycle/up.ts'
import type { ErrorReport } from '@caretaker/kernel/errors.ts'
import type { ExitCode } from '@caretaker/kernel/exit-codes.ts'
import { problemsOf } from './render-report.ts'

interface Changed extends Partial<Omit<UpReport, 'exit_code'>> {
  readonly app?: string
  /** Version that ran, and runs on when the change was refused or taken back. */
  readonly from?: string
  /** The command that tries it again. */
  readonly again?: string
  readonly exit_code?: ExitCode
}

/**
 * Why another release was not put in force, for a person: "caretaker up" tries no update again. Where the one before serves
 * (exit code 1 or 4) each reason says so, has the exit code of the command, and names what to repeat. Where nothing serves
 * (5) it names what tries the way back again.
 */
export function problemsOfChange(report: Changed): readonly ErrorReport[] {
  const { app = '', from = '', again, exit_code, operations = [] } = report
  const problems = problemsOf(report)
  if (exit_code === 1 || exit_code === 4)
    return problems.map((error) =>
      insteadOfUp(error, exit_code, `then "${again}"; meanwhile ${app} runs ${from} as before`),
    )
  const stopped = operations.findLast(({ outcome }) => outcome === 'stopped')
  if (exit_code !== 5 || !stopped) return problems
  return problems.map((error) =>
    insteadOfUp(error, 5, `then try the way back again: "caretaker operation undo ${stopped.operation}"`),
  )
}

/** The same reason of a change of a release, whose next step is another than a start. Pure. */
export function insteadOfUp(error: ErrorReport, exitCode: ExitCode, then: string): ErrorReport {
  return {
    ...error,
    next: error.next.replace(/then "caretaker up"(?!.)/, then),
    exit_code: exitCode,
    ...(error.also ? { also: error.also.map((other) => insteadOfUp(other, exitCode, then)) } : {}),
  }
}
