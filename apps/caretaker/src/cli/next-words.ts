import type { CommandDefinition } from './definition.ts'
import { globalOptions, PROGRESS_MODES } from './global-options.ts'

/** Flags of options, each with whether a value follows. */
type Flags = ReadonlyMap<string, boolean>

const flagsOf = (list: readonly { readonly flags: string }[]): Flags =>
  new Map(list.map(({ flags }) => [flags.split(' ')[0] as string, flags.includes('<')]))

/**
 * The words that may stand where the last one of `typed` stands. Names of applications are asked for only when a word
 * can be one. Empty where a file may follow: the shell completes that itself.
 */
export async function nextWords(
  definitions: readonly CommandDefinition[],
  typed: readonly string[],
  apps: () => Promise<readonly string[]>,
): Promise<readonly string[]> {
  const current = typed.at(-1) ?? ''
  if (typed.slice(0, -1).includes('--')) return []
  const shown = definitions.filter((definition) => !definition.hidden)
  const known = new Map([
    ...flagsOf(shown.flatMap((definition) => definition.options ?? [])),
    ...flagsOf(globalOptions()),
  ])
  const { words, awaiting } = takeApart(typed.slice(0, -1), known)
  const command = shown.find(
    (definition) => definition.name === words.slice(0, wordCount(definition)).join(' '),
  )
  const candidates = awaiting
    ? await valuesOf(awaiting, apps)
    : current.startsWith('-')
      ? flagsHere(command, words)
      : command
        ? await argumentsOf(command, words, apps)
        : commandWords(shown, words)
  return [...new Set(candidates)].filter((word) => word.startsWith(current)).toSorted()
}

const wordCount = (definition: CommandDefinition) => definition.name.split(' ').length

/** The words that are neither options nor their values, and the option whose value is due. */
function takeApart(
  typed: readonly string[],
  known: Flags,
): { readonly words: readonly string[]; readonly awaiting: string | undefined } {
  const words: string[] = []
  let awaiting: string | undefined
  for (const word of typed) {
    if (awaiting !== undefined) awaiting = undefined
    else if (known.get(word)) awaiting = word
    else if (!word.startsWith('-')) words.push(word)
  }
  return { words, awaiting }
}

function flagsHere(command: CommandDefinition | undefined, words: readonly string[]): readonly string[] {
  return [
    '--help',
    ...(words.length === 0 ? ['--version'] : []),
    ...flagsOf(globalOptions()).keys(),
    ...flagsOf(command?.options ?? []).keys(),
  ]
}

async function valuesOf(flag: string, apps: () => Promise<readonly string[]>): Promise<readonly string[]> {
  if (flag === '--progress') return PROGRESS_MODES
  return flag === '--confirm' ? apps() : []
}

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

async function argumentsOf(
  definition: CommandDefinition,
  words: readonly string[],
  apps: () => Promise<readonly string[]>,
): Promise<readonly string[]> {
  const argument = definition.arguments?.[words.length - wordCount(definition)]
  if (definition.name === 'completion') return argument ? ['bash', 'zsh', 'fish'] : []
  const isApp =
    (definition.name.startsWith('app ') && definition.name !== 'app add' && argument?.name === 'name') ||
    argument?.name === 'app'
  return isApp ? apps() : []
}
