import { EXIT_CODES } from '@caretaker/kernel/exit-codes.ts'
import type { CommandDefinition, FieldDoc } from './definition.ts'

/** Commands whose first example the main help shows. */
const SHOWN_FIRST = ['config create', 'app add', 'up', 'status']

/** Words that stand before several commands, with what they are about. */
export const GROUPS: Readonly<Record<string, string>> = {
  app: 'Applications: add, list, show, updates, rehearse, update, rollback, history, remove, logs, exec, restart, rotate-password, clone.',
  cert: 'The certificates of the host names: list, renew.',
  clone: 'Running copies of applications, made with "app clone": list, extend, remove, mail.',
  config: 'The config: create, check, show, diff, export, schema.',
  job: 'What runs on a schedule: list, run, stop, history, logs.',
  operation: 'What was done and is under way: list, show, resume, stop, undo.',
  service: 'Service mode: on, off.',
}

/** Below the options of one command. */
export function commandHelp(definition: CommandDefinition): string {
  return [
    'Examples:',
    ...examples(definition.examples),
    ...fields('With --json:', definition.output),
    ...fields('With --json and --dry-run:', definition.dryRunOutput ?? []),
    '',
    'Exit codes: see "caretaker --help".',
  ].join('\n')
}

/** Below the commands of a group. */
export function groupHelp(definitions: readonly CommandDefinition[]): string {
  return ['Examples:', ...examples(definitions.flatMap((entry) => entry.examples.slice(0, 1)))].join('\n')
}

/** Below the list of all commands. */
export function mainHelp(definitions: readonly CommandDefinition[]): string {
  const shown = SHOWN_FIRST.flatMap((name) => definitions.find((entry) => entry.name === name) ?? [])
  return [
    'Examples:',
    ...examples(shown.flatMap((entry) => entry.examples.slice(0, 1))),
    '',
    'Exit codes:',
    ...Object.entries(EXIT_CODES).map(([code, meaning]) => `  ${code.padStart(3)}  ${meaning}`),
  ].join('\n')
}

function examples(list: CommandDefinition['examples']): readonly string[] {
  return list.map(([typed, what]) => `  ${typed}\n      ${what}`)
}

function fields(title: string, docs: readonly FieldDoc[]): readonly string[] {
  if (docs.length === 0) return []
  return ['', title, ...docs.map(([name, type, meaning]) => `  ${name} (${type}): ${meaning}`)]
}
