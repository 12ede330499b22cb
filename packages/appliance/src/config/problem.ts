import type { ErrorCode } from '@caretaker/kernel/error-codes.ts'
import { AppError } from '@caretaker/kernel/errors.ts'

export type KeyPath = readonly (string | number)[]

/** One thing that is wrong with a config. `line` and `column` count from 1. */
export interface Problem {
  readonly code: ErrorCode
  readonly why: string
  readonly next: string
  readonly line: number
  readonly column: number
  readonly path?: KeyPath
}

/** As many problems as one goes through at a time. */
const MOST_REPORTED = 20

/** The path as people write it: `caretaker.applications.guestbook.hosts[0]`, as long as a line at most. */
export function formatPath(path: KeyPath): string {
  const text = path
    .map((part, index) => (typeof part === 'number' ? `[${part}]` : `${index === 0 ? '' : '.'}${part}`))
    .join('')
  return clip(text, 200)
}

/** Texts of the file stay short and printable in messages. */
export function clip(text: string, longest = 60): string {
  const printable = text.replaceAll(/[^\x20-\x7e\u00a1-\ufffd]/gu, '?')
  return printable.length <= longest ? printable : `${printable.slice(0, longest)}...`
}

/** One error for all problems: the first in the file, the others in `also` (20 at most; then their number is said). */
export function toConfigError(problems: readonly Problem[], file: string): AppError {
  const sorted = problems.toSorted((a, b) => a.line - b.line || a.column - b.column)
  const [first, ...others] = sorted.slice(0, MOST_REPORTED)
  if (first === undefined) throw new Error('toConfigError needs at least one problem')
  const left = sorted.length - MOST_REPORTED
  const more = left > 0 ? ` (${left} more problems are not listed)` : ''
  return toError(
    { ...first, why: first.why + more },
    file,
    others.map((problem) => toError(problem, file, [])),
  )
}

function toError(
  { code, why, next, line, column, path }: Problem,
  file: string,
  also: readonly AppError[],
): AppError {
  return new AppError(code, {
    what: 'The config was refused',
    why,
    next,
    at: { file, line, column },
    ...(path === undefined ? {} : { key: formatPath(path) }),
    also,
  })
}
