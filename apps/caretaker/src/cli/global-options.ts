import { type Command, Option } from 'commander'

/** How progress is shown; `auto`: live on a terminal, else as `plain`. */
export const PROGRESS_MODES = ['auto', 'plain', 'json', 'none'] as const

/** Options that every command takes, before or after its name. */
export function globalOptions(): readonly Option[] {
  return [
    new Option('--state <folder>', 'state folder of the appliance (env: CARETAKER_STATE)'),
    new Option('--config <file>', 'config file (env: CARETAKER_CONFIG)'),
    new Option('--json', 'print one JSON document'),
    new Option(
      '--progress <mode>',
      'how progress is shown on standard error (default: auto, with --json: none)',
    ).choices([...PROGRESS_MODES]),
  ]
}

/** Variables that stand in for options that were not typed; empty counts as not set. */
const FROM_ENVIRONMENT = [
  ['state', 'CARETAKER_STATE'],
  ['config', 'CARETAKER_CONFIG'],
] as const

/** The options of a command and of the words before it; what stands nearer to the end of the line wins. */
export function optionsOf(
  command: Command,
  env: Readonly<Record<string, string | undefined>>,
): Readonly<Record<string, unknown>> {
  const line: Command[] = []
  for (let at: Command | null = command; at; at = at.parent) line.unshift(at)
  const fromEnvironment = FROM_ENVIRONMENT.flatMap(([option, name]) =>
    env[name] === undefined || env[name] === '' ? [] : [[option, env[name]] as const],
  )
  return Object.assign(Object.fromEntries(fromEnvironment), ...line.map((entry) => entry.opts()))
}
