import type { CommandDefinition } from './definition.ts'

const GLOBAL_FLAGS = ['--help', '--json', '--state', '--config', '--progress']

/**
 * The words that may stand where the last one of `typed` stands. Names of applications are asked for only when an
 * argument can be one. Empty where a file may follow: the shell completes that itself.
 */
export async function nextWords(
  definitions: readonly CommandDefinition[],
  typed: readonly string[],
  apps: () => Promise<readonly string[]>,
): Promise<readonly string[]> {
  const current = typed.at(-1) ?? ''
  const before = typed.slice(0, -1).filter((word) => !word.startsWith('-'))
  const shown = definitions.filter((definition) => !definition.hidden)
  const exact = shown.find(
    (definition) => definition.name === before.slice(0, wordCount(definition)).join(' '),
  )
  const candidates = exact ? await inside(exact, before, current, apps) : commandWords(shown, before)
  return [...new Set(candidates)].filter((word) => word.startsWith(current)).toSorted()
}

const wordCount = (definition: CommandDefinition) => definition.name.split(' ').length

function commandWords(
  definitions: readonly CommandDefinition[],
  before: readonly string[],
): readonly string[] {
  return definitions.flatMap((definition) => {
    const words = definition.name.split(' ')
    const fits = before.every((word, index) => words[index] === word)
    return fits && words[before.length] !== undefined ? [words[before.length] as string] : []
  })
}

async function inside(
  definition: CommandDefinition,
  before: readonly string[],
  current: string,
  apps: () => Promise<readonly string[]>,
): Promise<readonly string[]> {
  if (current.startsWith('-')) {
    return [
      ...(definition.options ?? []).map((option) => option.flags.split(' ')[0] as string),
      ...GLOBAL_FLAGS,
    ]
  }
  const argument = definition.arguments?.[before.length - wordCount(definition)]
  if (definition.name === 'completion') return ['bash', 'zsh', 'fish']
  const isApp =
    (definition.name.startsWith('app ') && definition.name !== 'app add' && argument?.name === 'name') ||
    argument?.name === 'app'
  return isApp ? apps() : []
}
