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
 * Why another release was not put in force, for a person. Where the one before serves (exit code 1 or 4) each reason says
 * so, has the exit code of the command, and names what to repeat: "caretaker up" tries no update again.
 */
export function problemsOfChange(report: Changed): readonly ErrorReport[] {
  const { app = '', from = '', again, exit_code } = report
  const problems = problemsOf(report)
  if (exit_code !== 1 && exit_code !== 4) return problems
  const adapt = (error: ErrorReport): ErrorReport => ({
    ...error,
    next: error.next.replace(
      /then "caretaker up"(?!.)/,
      `then "${again}"; meanwhile ${app} runs ${from} as before`,
    ),
    exit_code,
    ...(error.also ? { also: error.also.map(adapt) } : {}),
  })
  return problems.map(adapt)
}
