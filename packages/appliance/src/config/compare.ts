import { Secret } from '@caretaker/kernel/secrets.ts'
import type { Config } from './config.ts'
import { formatPath } from './problem.ts'
import { flattenConfig, formatValue } from './show.ts'

/** One setting in which two configs differ. Values are JSON, secrets masked: for them only the change is said. */
export interface ConfigChange {
  readonly key: string
  readonly change: 'added' | 'removed' | 'changed'
  readonly old?: string
  readonly new?: string
}

/** What changes from `old` to `wanted`, sorted by key. Empty when both mean the same. */
export function compareConfigs(old: Config, wanted: Config): ConfigChange[] {
  const before = byKey(old)
  const after = byKey(wanted)
  return [...new Set([...before.keys(), ...after.keys()])].toSorted().flatMap((key): ConfigChange[] => {
    const [a, b] = [before.get(key), after.get(key)]
    if (a === undefined) return [{ key, change: 'added', new: formatValue(b?.value) }]
    if (b === undefined) return [{ key, change: 'removed', old: formatValue(a.value) }]
    if (isSame(a.value, b.value)) return []
    return [{ key, change: 'changed', old: formatValue(a.value), new: formatValue(b.value) }]
  })
}

/** Empty mappings are no settings: an added entry is said, not that the mapping is no longer empty. */
function byKey(config: Config) {
  const settings = flattenConfig(config).filter(({ value }) => formatValue(value) !== '{}')
  return new Map(settings.map((setting) => [formatPath(['caretaker', ...setting.path]), setting]))
}

/** Compares secrets by value, in this process only; nothing of them leaves it. */
function isSame(a: unknown, b: unknown): boolean {
  if (a instanceof Secret && b instanceof Secret) return a.reveal() === b.reveal()
  return JSON.stringify(a) === JSON.stringify(b)
}
