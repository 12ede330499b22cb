import type { AppError } from '@caretaker/kernel/errors.ts'
import { Argument, Command, CommanderError } from 'commander'
import type { CommandDefinition } from './definition.ts'
import { globalOptions, optionsOf } from './global-options.ts'
import { commandHelp, GROUPS, groupHelp, mainHelp } from './help.ts'
import { unbuiltCommand } from './unbuilt.ts'
import { usageError } from './usage-error.ts'

export interface Invocation {
  readonly definition: CommandDefinition
  readonly arguments: readonly string[]
  readonly options: Readonly<Record<string, unknown>>
}

/** What the person typed, taken apart: a command, a text that was asked for (help, version), or what is wrong with it. */
export type Parsed =
  | { readonly kind: 'invocation'; readonly invocation: Invocation }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'error'; readonly error: AppError; readonly help: string; readonly asJson: boolean }

/** Parses the words after `caretaker`. Never ends the process, never prints, and reads no environment but `env`. */
export function parseCommandLine(
  definitions: readonly CommandDefinition[],
  version: string,
  words: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Parsed {
  let text = ''
  let help = ''
  let invocation: Invocation | undefined
  const program = createProgram(definitions, version, (definition, command) => {
    invocation = { definition, arguments: command.args, options: optionsOf(command, env) }
  })
  let stoppedAt = program
  visit(program, (command) => {
    command.exitOverride((error) => {
      stoppedAt = command
      throw error
    })
    command.configureOutput({
      writeOut: (part) => {
        text += part
      },
      writeErr: (part) => {
        help += part
      },
      // The message comes with the error; what is written to standard error otherwise is a help.
      outputError: () => undefined,
    })
  })
  try {
    program.parse([...words], { from: 'user' })
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    if (error.exitCode === 0) return { kind: 'text', text }
    const asJson = wordsBefore(words, '--').includes('--json')
    return { kind: 'error', error: unbuiltCommand(words) ?? usageError(error, stoppedAt), help, asJson }
  }
  if (!invocation) return { kind: 'text', text }
  return { kind: 'invocation', invocation }
}

function createProgram(
  definitions: readonly CommandDefinition[],
  version: string,
  choose: (definition: CommandDefinition, command: Command) => void,
): Command {
  const shown = definitions.filter((definition) => !definition.hidden)
  const program = new Command('caretaker')
    .description('Keeps stateful web applications alive on one machine.')
    .version(version, '-V, --version', 'print the version')
    .showSuggestionAfterError()
    .enablePositionalOptions()
    .addHelpText('after', `\n${mainHelp(shown)}`)
  takeGlobalOptions(program)
  for (const definition of definitions) {
    const [first, second] = definition.name.split(' ') as [string, string?]
    const parent = second === undefined ? program : groupOf(program, first, shown)
    addCommand(parent, second ?? first, definition, choose)
  }
  return program
}

function groupOf(program: Command, name: string, definitions: readonly CommandDefinition[]): Command {
  const known = program.commands.find((command) => command.name() === name)
  if (known) return known
  const inside = definitions.filter((definition) => definition.name.startsWith(`${name} `))
  const group = program
    .command(name)
    .description(GROUPS[name] ?? '')
    .addHelpText('after', `\n${groupHelp(inside)}`)
  takeGlobalOptions(group)
  return group
}

function addCommand(
  parent: Command,
  word: string,
  definition: CommandDefinition,
  choose: (definition: CommandDefinition, command: Command) => void,
): void {
  const command = parent.command(word, { hidden: definition.hidden ?? false })
  command
    .summary(definition.summary)
    .description(`${definition.summary}\n${definition.details ?? ''}`.trimEnd())
  for (const argument of definition.arguments ?? []) {
    const dots = argument.variadic ? '...' : ''
    const shape = argument.optional ? `[${argument.name}${dots}]` : `<${argument.name}${dots}>`
    command.addArgument(new Argument(shape, argument.description))
  }
  for (const option of definition.options ?? [])
    command.option(option.flags, option.description, option.default)
  takeGlobalOptions(command)
  command.addHelpText('after', `\n${commandHelp(definition)}`)
  command.action(() => choose(definition, command))
}

function takeGlobalOptions(command: Command): void {
  for (const option of globalOptions()) command.addOption(option)
}

function visit(command: Command, work: (command: Command) => void): void {
  work(command)
  for (const child of command.commands) visit(child, work)
}

function wordsBefore(words: readonly string[], end: string): readonly string[] {
  const at = words.indexOf(end)
  return at < 0 ? words : words.slice(0, at)
}
