import type { ErrorReport } from '@caretaker/kernel/errors.ts'
import type { Style } from './style.ts'

/** An error for a person: what, why, what next, and the code to look up in docs/errors.md. */
export function renderError(error: ErrorReport, style: Style): string {
  const where =
    error.file === undefined ? '' : ` (${error.file}${error.line === undefined ? '' : `:${error.line}`})`
  const head = [
    `${style.bad('error:')} ${error.what}${where}`,
    `  why:  ${error.why}`,
    `  next: ${error.next}`,
    style.dim(`  code: ${error.code}, exit ${error.exit_code}`),
  ].join('\n')
  const also = (error.also ?? []).map((entry) => renderError(entry, style))
  return [head, ...also].join('\n')
}
