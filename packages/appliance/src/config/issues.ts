import type { z } from 'zod'
import { clip, formatPath, type KeyPath, type Problem } from './problem.ts'
import type { Position } from './read-yaml.ts'
import { closest } from './suggest.ts'
import { ELSEWHERE, UNBUILT_VALUES, unbuiltKey } from './unbuilt.ts'

/** What explaining an issue needs to know of the config it was found in. */
export interface IssueContext {
  /** Value at a path below `caretaker`, undefined when there is none. */
  valueAt(path: KeyPath): unknown
  /** Place of a path below `caretaker`, or of the nearest key above it. */
  positionOf(path: KeyPath): Position
  /** Known keys beside the last part of the path; empty where any name may stand. */
  knownKeys(path: KeyPath): readonly string[]
  /** Every path below `caretaker` whose last key has this name. */
  pathsNamed(key: string): readonly string[]
}

/** A refusal of the schema, said for people. Unknown keys give one problem each. */
export function explainIssue(issue: z.core.$ZodIssue, context: IssueContext): Problem[] {
  const path = issue.path as KeyPath
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => unknownKey([...path, key], context))
  if (issue.code === 'invalid_key') {
    const why = `${name(path)} ${issue.issues[0]?.message ?? 'is no valid name'}`
    return [wrong(path, why, `Rename it in line ${context.positionOf(path).line}`, context)]
  }
  const value = context.valueAt(path)
  if (value === undefined || (value === null && !acceptsNull(path))) return [missing(path, value, context)]
  return [explainValue(issue, path, value, context)]
}

function unknownKey(path: KeyPath, context: IssueContext): Problem {
  const key = String(path.at(-1))
  const { line } = context.positionOf(path)
  const full = name(path)
  const found = { ...context.positionOf(path), path: ['caretaker', ...path] }
  const feature = unbuiltKey(path)
  if (feature !== undefined) {
    const why = `${full} is a known setting, but ${feature} is not in this version`
    return {
      code: 'NOT_IN_THIS_VERSION',
      why,
      next: `Remove line ${line} and what is indented below it`,
      ...found,
    }
  }
  const unknown = { code: 'CONFIG_UNKNOWN_KEY', why: `${full} is not a known key`, ...found } as const
  const elsewhere = ELSEWHERE.get(path.join('.'))
  if (elsewhere !== undefined)
    return { ...unknown, why: `${unknown.why}: ${elsewhere}`, next: `Move it from line ${line}` }
  const known = context.knownKeys(path)
  const near = closest(key, known)
  if (near !== undefined) return { ...unknown, next: `Did you mean "${near}"? Correct line ${line}` }
  const [other] = context.pathsNamed(key)
  if (other !== undefined) return { ...unknown, next: `Did you mean "${other}"? Move it from line ${line}` }
  return { ...unknown, next: `Remove it from line ${line}; known here: ${known.join(', ')}` }
}

function missing(path: KeyPath, value: unknown, context: IssueContext): Problem {
  const key = String(path.at(-1))
  const position = context.positionOf(path)
  const generated = path[0] === 'keys' || path[0] === 'id'
  const hint = generated
    ? '"caretaker config create DOMAIN" writes a config with all keys: copy it from there'
    : `Write "${key}: ..." below line ${position.line}`
  const why = value === null ? `${name(path)} has no value` : `${name(path)} is missing`
  const next = value === null ? `Give it a value in line ${position.line}, or remove the line` : hint
  return { code: 'CONFIG_MISSING', why, next, ...position, path: ['caretaker', ...path] }
}

function explainValue(
  issue: z.core.$ZodIssue,
  path: KeyPath,
  value: unknown,
  context: IssueContext,
): Problem {
  const { line } = context.positionOf(path)
  const shown = isSensitive(path) ? '' : ` is ${show(value)}, but`
  const later = UNBUILT_VALUES.get(path.join('.'))
  if (typeof value === 'string' && later?.includes(value)) {
    const why = `${name(path)} is "${value}", which is known but not in this version`
    const next = `Write ${(issue.code === 'invalid_value' ? issue.values : []).join(' or ')} in line ${line}`
    return {
      code: 'NOT_IN_THIS_VERSION',
      why,
      next,
      ...context.positionOf(path),
      path: ['caretaker', ...path],
    }
  }
  const why = `${name(path)}${shown} ${mustOf(issue)}`
  return wrong(path, why, suggest(issue, path, value, line), context)
}

function suggest(issue: z.core.$ZodIssue, path: KeyPath, value: unknown, line: number): string {
  const expected = issue.code === 'invalid_type' ? issue.expected : undefined
  if (expected === 'string' && (typeof value === 'number' || typeof value === 'boolean')) {
    return `Write it in quotes in line ${line}${isSensitive(path) ? '' : `: "${value}"`}`
  }
  const isNumber = typeof value === 'string' && /^\d{1,9}$/.test(value)
  if (isNumber && acceptsNumber(issue)) return `Write ${value} without quotes in line ${line}`
  if (expected === 'boolean' && (value === 'true' || value === 'false'))
    return `Write ${value} without quotes in line ${line}`
  if (expected === 'array' && typeof value === 'string') {
    return `Write a list in line ${line}${isSensitive(path) ? '' : `: [${clip(value)}]`}`
  }
  const given = issue.code === 'custom' ? (issue.params?.suggestion as string | undefined) : undefined
  const options = issue.code === 'invalid_value' ? issue.values.map(String) : []
  const near = given ?? (typeof value === 'string' ? closest(value, options) : undefined)
  if (near !== undefined && !isSensitive(path))
    return `Did you mean "${clip(near, 253)}"? Correct line ${line}`
  return `Correct line ${line}`
}

function acceptsNumber(issue: z.core.$ZodIssue): boolean {
  if (issue.code === 'invalid_type') return issue.expected === 'number' || issue.expected === 'int'
  if (issue.code === 'invalid_value') return issue.values.some((value) => typeof value === 'number')
  return issue.code === 'invalid_union' && issue.errors.flat().some(acceptsNumber)
}

const TYPES: ReadonlyMap<string, string> = new Map([
  ['string', 'a text'],
  ['number', 'a number'],
  ['int', 'a whole number'],
  ['boolean', 'true or false'],
  ['array', 'a list'],
  ['object', 'a mapping ("key: value" lines)'],
  ['record', 'a mapping ("key: value" lines)'],
])

function mustOf(issue: z.core.$ZodIssue): string {
  if (issue.message.startsWith('must ')) return issue.message
  if (issue.code === 'invalid_type') return `must be ${TYPES.get(issue.expected) ?? issue.expected}`
  if (issue.code === 'invalid_value') return `must be ${listOf(issue.values.map(String))}`
  return `is not accepted: ${issue.message}`
}

function listOf(values: readonly string[]): string {
  return values.length < 2 ? values.join('') : `${values.slice(0, -1).join(', ')} or ${values.at(-1)}`
}

function show(value: unknown): string {
  if (typeof value === 'string') return `"${clip(value)}"`
  if (Array.isArray(value)) return 'a list'
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : 'a mapping'
}

function wrong(path: KeyPath, why: string, next: string, context: IssueContext): Problem {
  return { code: 'CONFIG_WRONG_TYPE', why, next, ...context.positionOf(path), path: ['caretaker', ...path] }
}

function name(path: KeyPath): string {
  return clip(formatPath(['caretaker', ...path]), 200)
}

/** Values at these paths are never repeated in a message. */
function isSensitive(path: KeyPath): boolean {
  if (path[0] === 'tls') return path.at(-1) === 'hmac_key' || path.at(-1) === 'tsig_secret'
  return path[0] === 'keys' || path[2] === 'secrets' || path[2] === 'environment'
}

function acceptsNull(path: KeyPath): boolean {
  return path.join('.') === 'gateway.http_port'
}
