import { EXIT_CODES } from '@caretaker/kernel/exit-codes.ts'
import { describe, expect, it } from 'vitest'
import { COMMANDS } from '../commands/all.ts'
import { VERSION } from '../version.ts'
import { GROUPS } from './help.ts'
import { type Parsed, parseCommandLine } from './program.ts'

const parse = (line: string, env: Record<string, string> = {}) =>
  parseCommandLine(COMMANDS, VERSION, line === '' ? [] : line.split(' '), env)

function textOf(line: string): string {
  const parsed = parse(line)
  if (parsed.kind !== 'text') throw new Error(`${line} gave ${parsed.kind}`)
  return parsed.text
}

function errorOf(line: string): Extract<Parsed, { kind: 'error' }> {
  const parsed = parse(line)
  if (parsed.kind !== 'error') throw new Error(`${line} gave ${parsed.kind}`)
  return parsed
}

function invocationOf(line: string, env: Record<string, string> = {}) {
  const parsed = parse(line, env)
  if (parsed.kind !== 'invocation') throw new Error(`${line} gave ${parsed.kind}`)
  return parsed.invocation
}

const shown = COMMANDS.filter((definition) => !definition.hidden)

describe('help', () => {
  it('of caretaker lists every command or its group, examples, and every exit code', () => {
    const text = textOf('--help')
    for (const { name } of shown) expect(text).toMatch(new RegExp(`^ {2}${name.split(' ')[0]} `, 'm'))
    for (const [code, meaning] of Object.entries(EXIT_CODES)) expect(text).toContain(`${code}  ${meaning}`)
    expect(text).toContain('Examples:\n  caretaker config create')
    expect(text).not.toMatch(/^ {2}(gateway|complete) /m)
  })

  const groups = [
    ...new Set(shown.flatMap(({ name }) => (name.includes(' ') ? [name.split(' ')[0] ?? ''] : []))),
  ]

  it.each(groups)('of caretaker says what the group %s is about, and names its commands', (group) => {
    for (const { name } of shown.filter((entry) => entry.name.startsWith(`${group} `)))
      expect(GROUPS[group]).toMatch(new RegExp(`: .*\\b${name.split(' ')[1]}\\b.*\\.$`))
  })

  it.each(groups)('of the group %s lists its commands and an example each', (group) => {
    const text = textOf(`${group} --help`)
    for (const { name, examples } of shown.filter((entry) => entry.name.startsWith(`${group} `))) {
      expect(text).toMatch(new RegExp(`^ {2}${name.split(' ')[1]} `, 'm'))
      expect(text).toContain(examples[0]?.[0])
    }
  })

  it.each(COMMANDS.map((definition) => [definition.name, definition] as const))(
    'of %s shows its examples and the fields of --json',
    (name, { examples, output, options = [], arguments: words = [] }) => {
      const text = textOf(`${name} --help`)
      expect(textOf(`help ${name.split(' ')[0]}`)).toContain('Usage: caretaker')
      expect(examples.length).toBeGreaterThan(0)
      for (const [typed, what] of examples) expect(text).toContain(`  ${typed}\n      ${what}`)
      for (const [field] of output) expect(text).toContain(`  ${field} (`)
      for (const { flags } of options) expect(text).toContain(flags)
      for (const argument of words) expect(text).toContain(argument.name)
      for (const flag of ['--state', '--config', '--json', '--progress']) expect(text).toContain(flag)
    },
  )

  it('shows only examples that are command lines', () => {
    for (const { name, examples } of COMMANDS) {
      for (const [typed] of examples) {
        const words =
          /caretaker ([^>)|]+)/
            .exec(typed)?.[1]
            ?.trim()
            .replaceAll(/"[^"]*"/g, 'text') ?? ''
        expect(invocationOf(words).definition.name, typed).toBe(name)
      }
    }
  })
})

describe('the version', () => {
  it.each(['--version', '-V'])('is printed by %s', (flag) => {
    expect(textOf(flag)).toBe(`${VERSION}\n`)
  })
})

describe('a line that is not understood', () => {
  it.each([
    ['stauts', "unknown command 'stauts'", 'Did you mean status?'],
    ['app lst', "unknown command 'lst'", 'Did you mean list?'],
    ['status --jsno', "unknown option '--jsno'", 'Did you mean --json?'],
    ['app add a b --dry-ru', "unknown option '--dry-ru'", 'Did you mean --dry-run?'],
    ['--stat x status', "unknown option '--stat'", 'Did you mean --state?'],
    [
      'app exec guestbook node --check',
      "unknown option '--check'",
      'Options of the program itself stand after "--".',
    ],
    ['app add', "missing required argument 'name'", '"caretaker app add --help"'],
    ['down now', "too many arguments for 'down'", '"caretaker down --help"'],
    [
      'up --progress loud',
      "argument 'loud' is invalid. Allowed choices are auto, plain, json, none",
      '"caretaker up --help"',
    ],
    ['logs --lines', "option '--lines <count>' argument missing", '"caretaker logs --help"'],
  ])('%s', (line, why, next) => {
    const { error, help } = errorOf(line)
    expect(error).toMatchObject({ code: 'USAGE', exitCode: 2, what: 'Nothing was done' })
    expect(error.why).toContain(why)
    expect(error.next).toContain(next)
    expect(error.next).toContain('--help')
    expect(help).toBe('')
  })

  it.each(['', 'app', 'config', '--json', 'operation --json'])(
    '"%s" names no command and gets the help',
    (line) => {
      const { error, help } = errorOf(line)
      expect(error.why).toBe('no command was named')
      expect(help).toContain('Usage: caretaker')
      expect(help).toContain('Examples:')
    },
  )

  it('is answered in JSON when that is asked for, wherever it stands', () => {
    expect(errorOf('--json stauts').asJson).toBe(true)
    expect(errorOf('app lst --json').asJson).toBe(true)
    expect(errorOf('stauts').asJson).toBe(false)
    expect(errorOf('app exec --typo -- --json').asJson).toBe(false)
  })
})

describe('options of every command', () => {
  it.each([
    '--json --state /s app show guestbook',
    'app --json --state /s show guestbook',
    'app show --json --state /s guestbook',
    'app show guestbook --json --state /s',
    '--json app --state /s show guestbook',
  ])('stand anywhere: %s', (line) => {
    const invocation = invocationOf(line)
    expect(invocation.definition.name).toBe('app show')
    expect(invocation.arguments).toEqual(['guestbook'])
    expect(invocation.options).toEqual({ json: true, state: '/s' })
  })

  it('nearer to the end of the line they win', () => {
    expect(invocationOf('--state /a status --state /b').options.state).toBe('/b')
  })

  it('come from CARETAKER_STATE and CARETAKER_CONFIG, unless typed or empty', () => {
    const env = { CARETAKER_STATE: '/env', CARETAKER_CONFIG: '/env.yml' }
    expect(invocationOf('status', env).options).toEqual({ state: '/env', config: '/env.yml' })
    expect(invocationOf('--state /typed status', env).options.state).toBe('/typed')
    expect(invocationOf('status --config c.yml', env).options.config).toBe('c.yml')
    expect(invocationOf('status', { CARETAKER_STATE: '', CARETAKER_CONFIG: '' }).options).toEqual({})
  })

  it('are not taken from the environment of this process', () => {
    process.env['CARETAKER_STATE'] = '/of-this-process'
    try {
      expect(invocationOf('status').options).toEqual({})
    } finally {
      delete process.env['CARETAKER_STATE']
    }
  })

  it('leave what stands after "--" to the program', () => {
    const { arguments: words, options } = invocationOf('app exec guestbook -- node --json --version')
    expect(words).toEqual(['guestbook', 'node', '--json', '--version'])
    expect(options).toEqual({})
  })

  it('standard values of the command are there', () => {
    expect(invocationOf('logs').options).toEqual({ lines: '20' })
  })
})

describe('the definitions', () => {
  it('have each name once, at most two words, and a summary that is a sentence', () => {
    expect(new Set(COMMANDS.map((entry) => entry.name)).size).toBe(COMMANDS.length)
    for (const { name, summary } of COMMANDS) {
      expect(name).toMatch(/^[a-z-]+( [a-z-]+)?$/)
      expect(summary).toMatch(/^[A-Z].*\.$/)
    }
  })

  it('document each field once', () => {
    for (const { name, output, dryRunOutput = [] } of COMMANDS) {
      for (const fields of [output, dryRunOutput]) {
        const names = fields.map(([field]) => field)
        expect(new Set(names).size, name).toBe(names.length)
      }
    }
  })

  it('say what --dry-run prints, where there is one', () => {
    for (const { name, options = [], dryRunOutput } of COMMANDS) {
      expect(
        options.some((option) => option.flags === '--dry-run'),
        name,
      ).toBe(dryRunOutput !== undefined)
    }
  })
})
