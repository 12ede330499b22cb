import type { ExitCode } from '@caretaker/kernel/exit-codes.ts'
import type { OperationResult } from '@caretaker/steps/runner.ts'

/**
 * Exit code of an operation whose undoing took back nothing but a clone, so that nothing that anybody uses was changed:
 * 75 where the same may succeed later (no room, offline), 130 where somebody cancelled it, else `failed`.
 */
export function exitOfTrial(
  { exit_code, errors }: Pick<OperationResult, 'exit_code' | 'errors'>,
  failed: ExitCode,
): ExitCode {
  if (exit_code !== 4) return exit_code
  const first = errors[0]?.exit_code
  return first === 75 || first === 130 ? first : failed
}
