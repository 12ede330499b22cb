import * as z from 'zod'
import type { KeyPath } from '../config/problem.ts'
import { composeObjectAt, refusalOf, refusedKeys } from './compose-keys.ts'
import { invalid, type Problem, refused, suggestion } from './problems.ts'
import type { IssueParams } from './schema-parts.ts'

/** What a schema found, in a person's words. `value` is the value that was checked. */
export function schemaProblems(
  schema: z.ZodType,
  issues: readonly z.core.$ZodIssue[],
  value: unknown,
): readonly Problem[] {
  return issues.flatMap((issue) => issueProblems(schema, issue, value))
}

function issueProblems(schema: z.ZodType, issue: z.core.$ZodIssue, value: unknown): readonly Problem[] {
  const path = issue.path.filter((part) => typeof part !== 'symbol')
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => unknownKey(schema, path, key))
  if (issue.code === 'invalid_key') {
    return [invalid(path, `it ${issue.issues[0]?.message ?? issue.message}`, 'Choose another name')]
  }
  if (issue.code === 'custom' && issue.params) {
    const { refused: isRefused, next } = issue.params as unknown as IssueParams
    return [(isRefused ? refused : invalid)(path, issue.message, next)]
  }
  if (valueAt(value, path) === undefined && path.length > 0) {
    return [invalid(path, 'it is missing', `Add "${String(path.at(-1))}"${expectation(issue)}`)]
  }
  return [invalid(path, sentence(issue), 'Correct the value')]
}

function unknownKey(schema: z.ZodType, path: KeyPath, key: string): Problem {
  const object = composeObjectAt(path)
  const refusal = object && refusalOf(object, key)
  if (refusal) return refused([...path, key], refusal.why, refusal.next)
  const next = suggestion(key, keysAt(schema, path), object ? refusedKeys(object) : [])
  return invalid([...path, key], `"${key}" is not known here`, next)
}

function sentence(issue: z.core.$ZodIssue): string {
  if (!issue.message.startsWith('Invalid')) return `it ${issue.message}`
  if (issue.code === 'invalid_type') return `it must be a ${typeName(issue.expected)}`
  if (issue.code === 'invalid_value') return `it must be one of: ${issue.values.map(String).join(', ')}`
  return 'it has a value that is not allowed'
}

function expectation(issue: z.core.$ZodIssue): string {
  return issue.message.startsWith('must be ') ? ` (it ${issue.message})` : ''
}

function typeName(expected: string): string {
  const names: Record<string, string> = { string: 'text', object: 'map', record: 'map', array: 'list' }
  return names[expected] ?? expected
}

/** The value at a path; undefined when there is none. */
export function valueAt(value: unknown, path: KeyPath): unknown {
  return path.reduce<unknown>(
    (entry, part) =>
      entry !== null && typeof entry === 'object' && Object.hasOwn(entry, part)
        ? (entry as Record<string | number, unknown>)[part]
        : undefined,
    value,
  )
}

/** The keys that the object at `path` may have, as the schema says. */
function keysAt(schema: z.ZodType, path: KeyPath): readonly string[] {
  const objects = path.reduce<readonly z.ZodType[]>(
    (level, part) => level.flatMap((entry) => child(entry, part)),
    unwrap(schema),
  )
  return objects.flatMap((entry) => (entry instanceof z.ZodObject ? Object.keys(entry.shape) : []))
}

function child(schema: z.ZodType, part: string | number): readonly z.ZodType[] {
  if (schema instanceof z.ZodObject) {
    const inner = (schema.shape as Record<string, z.ZodType>)[String(part)]
    return inner ? unwrap(inner) : []
  }
  if (schema instanceof z.ZodRecord) return unwrap(schema.valueType as z.ZodType)
  if (schema instanceof z.ZodArray) return unwrap(schema.element as z.ZodType)
  return []
}

/** The schemas behind defaults, options, preparations and alternatives. */
function unwrap(schema: z.ZodType): readonly z.ZodType[] {
  if (schema instanceof z.ZodPipe)
    return [...unwrap(schema.in as z.ZodType), ...unwrap(schema.out as z.ZodType)]
  if (schema instanceof z.ZodUnion) return schema.options.flatMap((option) => unwrap(option as z.ZodType))
  if (
    schema instanceof z.ZodOptional ||
    schema instanceof z.ZodNullable ||
    schema instanceof z.ZodDefault ||
    schema instanceof z.ZodPrefault
  ) {
    return unwrap(schema.unwrap() as z.ZodType)
  }
  return [schema]
}
