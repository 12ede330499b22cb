import { EXIT_CODES } from '@caretaker/kernel/exit-codes.ts'
import type { CommandDefinition, FieldDoc } from './definition.ts'
import { globalOptions } from './global-options.ts'
import { GROUPS } from './help.ts'

/** docs/cli.md, made from the definitions of the commands. */
export function cliPage(definitions: readonly CommandDefinition[]): string {
  const shown = definitions.filter((definition) => !definition.hidden)
  return `# The command line

This page is made from the definitions in \`apps/caretaker/src/commands\`; a test compares them.
To write it anew: \`UPDATE_GOLDENS=1 node_modules/.bin/vitest run --project unit apps/caretaker/src/cli/cli-page\`.

\`caretaker --help\` and \`caretaker COMMAND --help\` say the same. Standard output holds the answer and nothing else;
progress, errors and all other remarks go to standard error. Nothing is ever asked: what needs a confirmation takes an
option. Colours follow \`NO_COLOR\`, \`FORCE_COLOR\` and \`TERM\`.

While a daemon runs, it does what changes something, so that there is one actor; the answer is the same.

## Options of every command

They may stand before or after the name of the command.

${options(globalOptions().map((option) => ({ flags: option.flags, description: option.description })))}

With \`--json\` one JSON document is printed: the fields of the command, or \`error\` with \`code\`, \`what\`, \`why\`, \`next\`
and \`exit_code\` ([errors.md](errors.md)). \`--progress json\` writes one JSON object a line for every event.

## Exit codes

| exit code | meaning |
| --- | --- |
${Object.entries(EXIT_CODES)
  .map(([code, meaning]) => `| ${code} | ${meaning} |`)
  .join('\n')}

## Commands

${shown.map((definition) => `- [\`${definition.name}\`](#caretaker-${definition.name.replaceAll(' ', '-')}): ${definition.summary}`).join('\n')}

Words that stand before several commands: ${Object.keys(GROUPS)
    .map((group) => `\`${group}\``)
    .join(', ')}; \`caretaker WORD --help\` lists them.

${shown.map(section).join('\n\n')}
`
}

function section(definition: CommandDefinition): string {
  const words = (definition.arguments ?? []).map(({ name, optional, variadic }) => {
    const word = `${name.toUpperCase()}${variadic ? '…' : ''}`
    return optional ? `[${word}]` : word
  })
  const own = definition.options ?? []
  const synopsis = ['caretaker', definition.name, ...words, ...(own.length > 0 ? ['[OPTIONS]'] : [])]
  const blocks = [
    `### caretaker ${definition.name}`,
    definition.summary,
    definition.details?.replaceAll('\n', ' ') ?? '',
    fenced([synopsis.join(' ')]),
    (definition.arguments ?? [])
      .map(({ name, description }) => `- \`${name.toUpperCase()}\`: ${description}`)
      .join('\n'),
    options(own),
    `Examples:\n\n${fenced(definition.examples.flatMap(([typed, what]) => [`# ${what}`, typed]))}`,
    fields('With `--json`:', definition.output),
    fields('With `--json` and `--dry-run`:', definition.dryRunOutput ?? []),
  ]
  return blocks.filter((block) => block !== '').join('\n\n')
}

const fenced = (lines: readonly string[]) => ['```sh', ...lines, '```'].join('\n')

function options(
  list: readonly { readonly flags: string; readonly description: string; readonly default?: string }[],
): string {
  return list
    .map((option) => {
      const standard = option.default === undefined ? '' : ` (default: ${option.default})`
      return `- \`${option.flags}\`: ${option.description}${standard}`
    })
    .join('\n')
}

function fields(title: string, docs: readonly FieldDoc[]): string {
  if (docs.length === 0) return ''
  const rows = docs.map(([name, type, meaning]) => `| \`${name}\` | ${type} | ${meaning} |`)
  return [title, '', '| field | type | meaning |', '| --- | --- | --- |', ...rows].join('\n')
}
