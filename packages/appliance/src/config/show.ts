import { redact, Secret } from '@caretaker/kernel/secrets.ts'
import type { Config } from './config.ts'
import type { ParsedConfig } from './parse.ts'
import { formatPath, type KeyPath } from './problem.ts'

/** One setting in force. */
export interface EffectiveSetting {
  /** As `caretaker.gateway.https_port`. */
  readonly key: string
  /** As JSON; secrets masked. */
  readonly value: string
  /** `file:line`, or `default`. */
  readonly from: string
}

/** Every setting with its value and where it came from, in the order of the schema. */
export function effectiveConfig(
  parsed: Pick<ParsedConfig, 'config' | 'file' | 'positionOf'>,
): EffectiveSetting[] {
  return flattenConfig(parsed.config).map(({ path, value }) => {
    const position = parsed.positionOf(path)
    return {
      key: formatPath(['caretaker', ...path]),
      value: formatValue(value),
      from: position ? `${parsed.file}:${position.line}` : 'default',
    }
  })
}

/** One value of the config that holds no others; a list counts as one value. */
export interface FlatSetting {
  readonly path: KeyPath
  readonly value: unknown
}

export function flattenConfig(config: Config): FlatSetting[] {
  return flatten(config, [])
}

/** The value as JSON with secrets masked. */
export function formatValue(value: unknown): string {
  return value instanceof Secret ? '[secret]' : redact(JSON.stringify(value) ?? '')
}

function flatten(value: unknown, path: KeyPath): FlatSetting[] {
  const isLeaf =
    value === null || typeof value !== 'object' || Array.isArray(value) || value instanceof Secret
  if (isLeaf) return value === undefined ? [] : [{ path, value }]
  const entries = Object.entries(value)
  if (entries.length === 0) return [{ path, value }]
  return entries.flatMap(([key, inner]) => flatten(inner, [...path, key]))
}
