import { formatPath, type KeyPath } from '../config/problem.ts'
import { composeObjectAt } from './compose-keys.ts'
import {
  evaluateEarly,
  evaluateTemplate,
  InterpolationError,
  type LateText,
  parseTemplate,
  variablesIn,
} from './interpolate.ts'
import { invalid, type Problem } from './problems.ts'

export interface FilledCompose {
  readonly value: unknown
  readonly problems: readonly Problem[]
  /** Variables used without value and default, each said once with the place. */
  readonly notices: readonly string[]
  /** Variables of services, by {@link lateKey}, whose value is known only when the service starts; empty in `value`. */
  readonly late: ReadonlyMap<string, LateText>
}

/** What can fill the variables in the texts of a compose file. */
export interface Values {
  /** `environment` of the application in the config. */
  readonly environment: Readonly<Record<string, string>>
  /** Names under `secrets` of the application in the config. */
  readonly secrets: readonly string[]
  /** Names of the variables that caretaker sets for the services. */
  readonly wiring: readonly string[]
}

export const lateKey = (service: string, variable: string): string => `${service}\0${variable}`

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

/**
 * Puts the values of variables into every text of the value; keys stay as they are. Under `environment` of a service
 * a text may also name what caretaker sets, and secrets: those are put in when the service starts.
 */
export function fillVariables(value: unknown, { environment, secrets, wiring }: Values): FilledCompose {
  const problems: Problem[] = []
  const notices: string[] = []
  const late = new Map<string, LateText>()
  const given = (name: string) => (Object.hasOwn(environment, name) ? environment[name] : undefined)
  const isSecret = (name: string) => secrets.includes(name) && !Object.hasOwn(environment, name)
  const isLate = (name: string) => wiring.includes(name) || isSecret(name)
  const fillText = (text: string, path: KeyPath): string => {
    if (!text.includes('$')) return text
    const onEmpty = (name: string) =>
      void notices.push(`"${formatPath(path)}" uses ${name}, which has no value and no default: it is empty`)
    try {
      const named = variablesIn(parseTemplate(text)).find(isLate)
      if (named === undefined) return evaluateTemplate(parseTemplate(text), given, onEmpty)
      const variable = variableAt(path, text)
      if (!variable) throw isSecret(named) ? secretInText(named) : wiringInText(named)
      const parts = evaluateEarly(parseTemplate(variable.text), given, onEmpty, isLate)
      late.set(lateKey(variable.service, variable.name), parts)
      return variable.kept
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
  return { value: fill(value, []), problems, notices: [...new Set(notices)], late }
}

/** The variable of a service whose value the text at this path is; in a list the text holds its name too. */
function variableAt(
  path: KeyPath,
  text: string,
):
  | { readonly service: string; readonly name: string; readonly text: string; readonly kept: string }
  | undefined {
  const [section, service, part, key, ...rest] = path
  if (section !== 'services' || part !== 'environment' || key === undefined || rest.length > 0)
    return undefined
  if (typeof key === 'string') return { service: String(service), name: key, text, kept: '' }
  const name = text.split('=')[0] ?? ''
  if (name === text || name.includes('$')) return undefined
  return { service: String(service), name, text: text.slice(name.length + 1), kept: `${name}=` }
}

function secretInText(name: string): InterpolationError {
  return new InterpolationError(
    `${name} is a secret and can be part of a text only under "environment" of a service`,
    `List it under "secrets" of the service, or use it under its "environment"`,
  )
}

function wiringInText(name: string): InterpolationError {
  return new InterpolationError(
    `caretaker sets ${name} when it starts a service; it is not known before`,
    `Use it under "environment" of a service, or let the program read ${name} from its environment`,
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
