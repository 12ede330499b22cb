import { AppError } from '@caretaker/kernel/errors.ts'
import { printable } from '@caretaker/kernel/printable.ts'

/**
 * The reason that a person gave for `option`, as history and audit log keep it: one line without control characters.
 * @throws AppError USAGE where none was given
 */
export function givenReason(text: string, option: string): string {
  const line = printable(text.trim().replaceAll(/\s+/g, ' '))
  if (/[\p{L}\p{N}]/u.test(line)) return line
  throw new AppError('USAGE', {
    what: 'Nothing was done',
    why: `${option} needs a reason, and ${JSON.stringify(text)} is none`,
    next: `Write why: ${option} "REASON"; it stands in the history and in the audit log`,
  })
}
