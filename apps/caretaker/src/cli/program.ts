import { EXIT_CODES } from '@caretaker/kernel/exit-codes.ts'
import { Argument, Command, CommanderError, Option } from 'commander'
import type { CommandDefinition } from './definition.ts'

export interface Invocation {
  readonly definition: CommandDefinition
  readonly arguments: readonly string[]
  readonly options: Readonly<Record<string, unknown>>
}

/** What the person typed, taken apart; or a text to print (help, version, usage error) with an exit code. */
export type Parsed =
  | { readonly kind: 'invocation'; readonly invocation: Invocation }
  | { readonly kind: 'text'; readonly stdout: string; readonly stderr: string; readonly exitCode: 0 | 2 }

const GLOBAL_OPTIONS = [
  new Option('--state <folder>', 'state folder of the appliance').env('CARETAKER_STATE'),
  new Option('--config <file>', 'config file').env('CARETAKER_CONFIG'),
  new Option('--json', 'print one JSON document'),
  new Option('--progress <mode>', 'how progress is shown on standard error')
    .choices(['auto', 'plain', 'json', 'none'])
    .default('auto'),
]

/** Parses the words after `caretaker`. Never ends the process and never prints. */
export function parseCommandLine(
  definitions: readonly CommandDefinition[],
  version: string,
  words: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Parsed {
  let stdout = ''
  let stderr = ''
  let invocation: Invocation | undefined
  const program = createProgram(definitions, version, (chosen) => {
    invocation = chosen
  })
  visit(program, (command) => {
    command.exitOverride()
    command.configureOutput({
      writeOut: (text) => {
        stdout += text
      },
      writeErr: (text) => {
        stderr += text
      },
    })
  })
  applyEnvironment(program, env)
  try {
    program.parse([...words], { from: 'user' })
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    const isHelp = error.code === 'commander.helpDisplayed' || error.code === 'commander.version'
    const hint = isHelp
      ? ''
      : '  next: "caretaker --help" lists the commands, "caretaker COMMAND --help" shows examples\n'
    // Without a command commander puts the help on standard error: it is an error, and the help is the answer.
    return {
      kind: 'text',
      stdout,
      stderr: stderr + (stderr.includes('Usage:') ? '' : hint),
      exitCode: isHelp ? 0 : 2,
    }
  }
  if (!invocation) return { kind: 'text', stdout, stderr: program.helpInformation(), exitCode: 2 }
  return { kind: 'invocation', invocation }
}

function createProgram(
  definitions: readonly CommandDefinition[],
  version: string,
  choose: (invocation: Invocation) => void,
): Command {
  const program = new Command('caretaker')
    .description('Keeps stateful web applications alive on one machine.')
    .version(version, '-V, --version', 'print the version')
    .showSuggestionAfterError()
    .enablePositionalOptions()
    .addHelpText('after', `\n${mainHelp(definitions)}`)
  const groups = new Map<string, Command>()
  for (const definition of definitions) {
    const [first, second] = definition.name.split(' ') as [string, string?]
    let parent = program
    if (second !== undefined) {
      parent = groups.get(first) ?? program.command(first).description(GROUPS[first] ?? '')
      groups.set(first, parent)
    }
    addCommand(parent, second ?? first, definition, choose)
  }
  return program
}

/** Words that stand before several commands. */
const GROUPS: Record<string, string> = {
  app: 'applications: add, list, show, remove …',
  config: 'the config: create, check, show, diff, schema',
  operation: 'what was done: list, show, resume, undo',
  service: 'service mode: on, off',
}

function addCommand(
  parent: Command,
  word: string,
  definition: CommandDefinition,
  choose: (invocation: Invocation) => void,
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
  for (const option of GLOBAL_OPTIONS) command.addOption(option)
  command.addHelpText('after', `\n${commandHelp(definition)}`)
  command.action(() => {
    choose({ definition, arguments: command.args, options: command.opts() })
  })
}

function commandHelp(definition: CommandDefinition): string {
  const examples = definition.examples.map(([typed, what]) => `  ${typed}\n      ${what}`)
  const fields = definition.output.map(([name, type, meaning]) => `  ${name} (${type}): ${meaning}`)
  return [
    'Examples:',
    ...examples,
    ...(fields.length === 0 ? [] : ['', 'With --json:', ...fields]),
    '',
    'Exit codes: see "caretaker --help".',
  ].join('\n')
}

function mainHelp(definitions: readonly CommandDefinition[]): string {
  const shown = ['up', 'status', 'app add', 'config create']
  const examples = shown.flatMap(
    (name) => definitions.find((entry) => entry.name === name)?.examples.slice(0, 1) ?? [],
  )
  return [
    'Examples:',
    ...examples.map(([typed, what]) => `  ${typed}\n      ${what}`),
    '',
    'Exit codes:',
    ...Object.entries(EXIT_CODES).map(([code, meaning]) => `  ${code.padStart(3)}  ${meaning}`),
  ].join('\n')
}

function visit(command: Command, work: (command: Command) => void): void {
  work(command)
  for (const child of command.commands) visit(child, work)
}

/** Commander reads process.env for `.env()` options; here the environment is what the caller gives. */
function applyEnvironment(program: Command, env: Readonly<Record<string, string | undefined>>): void {
  visit(program, (command) => {
    for (const option of command.options) {
      const value = option.envVar === undefined ? undefined : env[option.envVar]
      if (value !== undefined && value !== '')
        command.setOptionValueWithSource(option.attributeName(), value, 'env')
    }
  })
}
