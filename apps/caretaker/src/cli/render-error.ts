import type { ErrorReport } from '@caretaker/kernel/errors.ts'
import { oneLine } from './one-line.ts'
import type { Style } from './style.ts'

/** An error for a person: what, why, what next, and the code to look up in docs/errors.md. */
export function renderError(error: ErrorReport, style: Style): string {
  const where =
    error.file === undefined ? '' : ` (${error.file}${error.line === undefined ? '' : `:${error.line}`})`
  const head = [
    `${style.bad('error:')} ${oneLine(`${error.what}${where}`)}`,
    `  why:  ${oneLine(error.why)}`,
    `  next: ${oneLine(error.next)}`,
    style.dim(`  code: ${error.code}, exit ${error.exit_code}`),
  ].join('\n')
  const also = (error.also ?? []).map((entry) => renderError(entry, style))
  return [head, ...also].join('\n')
}
