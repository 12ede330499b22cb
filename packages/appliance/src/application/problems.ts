import { AppError, type SourcePosition } from '@caretaker/kernel/errors.ts'
import { formatPath, type KeyPath } from '../config/problem.ts'
import { closest } from '../config/suggest.ts'

/** One thing that is wrong with a compose file. All of a file are found and said in one go. */
export interface Problem {
  readonly code: 'COMPOSE_INVALID' | 'COMPOSE_KEY_REFUSED'
  readonly path: KeyPath
  readonly why: string
  readonly next: string
}

export function invalid(path: KeyPath, why: string, next: string): Problem {
  return { code: 'COMPOSE_INVALID', path, why, next }
}

export function refused(path: KeyPath, why: string, next: string): Problem {
  return { code: 'COMPOSE_KEY_REFUSED', path, why, next }
}

/** The problems as one error: the first one, with the others in `also`. */
export function problemsError(
  app: string,
  problems: readonly [Problem, ...Problem[]],
  locate: (path: KeyPath) => SourcePosition,
): AppError {
  const [first, ...others] = problems.map((problem) => ({ problem, at: locate(problem.path) }))
  const also = others.map(({ problem, at }) => problemError(app, problem, at, []))
  return problemError(
    app,
    (first as { problem: Problem }).problem,
    (first as { at: SourcePosition }).at,
    also,
  )
}

function problemError(
  app: string,
  problem: Problem,
  at: SourcePosition,
  also: readonly AppError[],
): AppError {
  const key = formatPath(problem.path)
  const subject = key === '' ? 'The compose file' : `"${key}" in the compose file`
  return new AppError(problem.code, {
    what: `${subject} of ${app} ${problem.code === 'COMPOSE_KEY_REFUSED' ? 'cannot be honoured' : 'is not valid'}`,
    why: problem.why,
    next: problem.next,
    at,
    also,
    ...(key === '' ? {} : { key }),
  })
}

/** "Did you mean …" when something is near, else what can be used. `also` are names that are known but of no use. */
export function suggestion(name: string, usable: readonly string[], also: readonly string[] = []): string {
  const near = closest(name, [...usable, ...also])
  if (near !== undefined) return `Did you mean "${near}"?`
  return usable.length === 0 ? 'Remove it' : `Remove it, or use one of: ${usable.toSorted().join(', ')}`
}
