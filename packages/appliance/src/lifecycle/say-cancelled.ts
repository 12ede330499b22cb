import type { ErrorReport } from '@caretaker/kernel/errors.ts'
import type { ExitCode } from '@caretaker/kernel/exit-codes.ts'
import type { OperationResult } from '@caretaker/steps/runner.ts'

/** The errors of an operation that was taken back: one that was cancelled names what serves and how to begin anew. */
export function sayCancelled(
  errors: readonly ErrorReport[],
  { app, version, again }: { readonly app: string; readonly version: string; readonly again: string },
): readonly ErrorReport[] {
  const next = `${app} runs ${version} as before. To begin anew: ${again}`
  return errors.map((error) => (error.code === 'CANCELLED' ? { ...error, next } : error))
}

/** The exit code of what worked on a clone only: taken back, it has changed nothing that anybody uses. */
export function exitCodeOnClone({ errors, exit_code }: OperationResult): ExitCode {
  if (exit_code !== 4) return exit_code
  return errors[0]?.code === 'CANCELLED' ? 130 : 1
}
