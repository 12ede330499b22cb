import { formatPath, type KeyPath } from '../config/problem.ts'
import { composeObjectAt } from './compose-keys.ts'
import { evaluateTemplate, InterpolationError, parseTemplate, variablesIn } from './interpolate.ts'
import { invalid, type Problem } from './problems.ts'

export interface FilledCompose {
  readonly value: unknown
  readonly problems: readonly Problem[]
  /** Variables used without value and default, each said once with the place. */
  readonly notices: readonly string[]
}

/** A copy of the value without the `x-` keys of others: the specification says they are ignored. */
export function withoutExtensions(value: unknown, path: KeyPath = []): unknown {
  if (Array.isArray(value)) return value.map((entry, index) => withoutExtensions(entry, [...path, index]))
  if (value === null || typeof value !== 'object') return value
  const extensible = composeObjectAt(path) !== undefined
  return Object.fromEntries(
    Object.entries(value)
      .filter(
        ([key]) => !(extensible && key.startsWith('x-') && !(path.length === 0 && key === 'x-caretaker')),
      )
      .map(([key, entry]) => [key, withoutExtensions(entry, [...path, key])]),
  )
}

/** Puts the values of variables into every text of the value; keys stay as they are. */
export function fillVariables(
  value: unknown,
  environment: Readonly<Record<string, string>>,
  secrets: readonly string[],
): FilledCompose {
  const problems: Problem[] = []
  const notices: string[] = []
  const fillText = (text: string, path: KeyPath): string => {
    if (!text.includes('$')) return text
    try {
      const template = parseTemplate(text)
      const secret = variablesIn(template).find(
        (name) => secrets.includes(name) && !Object.hasOwn(environment, name),
      )
      if (secret !== undefined) throw secretInText(secret)
      return evaluateTemplate(
        template,
        (name) => (Object.hasOwn(environment, name) ? environment[name] : undefined),
        (name) =>
          notices.push(`"${formatPath(path)}" uses ${name}, which has no value and no default: it is empty`),
      )
    } catch (error) {
      if (!(error instanceof InterpolationError)) throw error
      problems.push(invalid(path, error.message, error.next))
      return text
    }
  }
  const fill = (entry: unknown, path: KeyPath): unknown => {
    if (typeof entry === 'string') return fillText(entry, path)
    if (Array.isArray(entry)) return entry.map((item, index) => fill(item, [...path, index]))
    if (entry === null || typeof entry !== 'object') return entry
    return Object.fromEntries(Object.entries(entry).map(([key, item]) => [key, fill(item, [...path, key])]))
  }
  return { value: fill(value, []), problems, notices: [...new Set(notices)] }
}

function secretInText(name: string): InterpolationError {
  return new InterpolationError(
    `${name} is a secret and cannot be part of a text`,
    `List it under "secrets" of the service, or write "${name}:" without a value under its "environment"`,
  )
}

/** Every variable named anywhere in the value. Texts that are no valid template name none. */
export function variableNames(value: unknown): readonly string[] {
  if (typeof value === 'string') {
    try {
      return variablesIn(parseTemplate(value))
    } catch {
      return []
    }
  }
  if (value === null || typeof value !== 'object') return []
  return Object.values(value).flatMap((entry) => variableNames(entry))
}
