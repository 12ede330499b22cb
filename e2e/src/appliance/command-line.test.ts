import { appendFile, chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Ran, type TestAppliance, testAppliance } from '../support/appliance.ts'
import { contentOf } from '../support/observe.ts'

let appliance: TestAppliance
/** What a person has lying around. */
const file = (name: string) => join(appliance.home, name)

beforeAll(async () => {
  appliance = await testAppliance()
  await appliance.createConfig()
  await appliance.ok('up')
  await appliance.ok('down')
  await appliance.ok('config', 'create', 'elsewhere.example', '--out', file('other.yml'))
  const config = await readFile(join(appliance.state, 'appliance.yml'), 'utf8')
  await write('unknown-key.yml', config.replace('\n  postgres:', '\n  postgre:'))
  await write('no-yaml.yml', 'caretaker: [')
  await write('open.yml', config)
  await chmod(file('open.yml'), 0o644)
  await compose('empty', undefined)
  await compose('no-yaml', 'services: [')
  await compose(
    'privileged',
    'services: { web: { build: ., command: [node, x.mjs], privileged: true } }\nx-caretaker: { web: { service: web, port: 1, health: / } }\n',
  )
  await compose('no-section', 'services: { web: { build: ., command: [node, x.mjs] } }\n')
})
afterAll(() => appliance[Symbol.asyncDispose]())

async function write(name: string, text: string) {
  await writeFile(file(name), text, { mode: 0o600 })
}

async function compose(folder: string, text: string | undefined) {
  await mkdir(file(folder))
  if (text !== undefined) await writeFile(file(`${folder}/compose.yml`), text)
}

/** Words → exit code and code of the error. A relative path is below the folder of the person. */
const BAD: readonly (readonly [words: readonly string[], exit: number, code: string])[] = [
  [[], 2, 'USAGE'],
  [['stauts'], 2, 'USAGE'],
  [['app'], 2, 'USAGE'],
  [['app', 'lst'], 2, 'USAGE'],
  [['status', '--jsno'], 2, 'USAGE'],
  [['status', 'now'], 2, 'USAGE'],
  [['status', '--state'], 2, 'USAGE'],
  [['--state', '', 'status'], 2, 'USAGE'],
  [['--state', 'open.yml', 'status'], 2, 'USAGE'],
  [['up', '--progress', 'loud'], 2, 'USAGE'],
  [['up', 'a.yml', 'b.yml'], 2, 'USAGE'],
  [['up', 'missing.yml'], 2, 'CONFIG_NOT_FOUND'],
  [['up', 'unknown-key.yml'], 2, 'CONFIG_UNKNOWN_KEY'],
  [['up', 'no-yaml.yml'], 2, 'CONFIG_SYNTAX'],
  [['up', 'open.yml'], 2, 'CONFIG_PERMISSIONS'],
  [['up', 'other.yml'], 2, 'CONFIG_CONFLICT'],
  [['up', 'empty'], 2, 'CONFIG_NOT_FOUND'],
  [['--config', 'missing.yml', 'up', '--dry-run'], 2, 'CONFIG_NOT_FOUND'],
  [['config', 'create'], 2, 'USAGE'],
  [['config', 'create', 'localhost'], 2, 'CONFIG_EXISTS'],
  [['config', 'create', 'no domain', '--out', 'new.yml'], 2, 'CONFIG_WRONG_TYPE'],
  [['config', 'create', 'example.org', '--out', 'new.yml', '--https-port', 'many'], 2, 'USAGE'],
  [['config', 'create', 'example.org', '--out', 'new.yml', '--https-port', '99999'], 2, 'CONFIG_WRONG_TYPE'],
  [['config', 'create', 'example.org', '--out', 'new.yml', '--postgres', '12'], 2, 'CONFIG_WRONG_TYPE'],
  [
    ['config', 'create', 'example.org', '--out', 'new.yml', '--time-zone', 'Europe/Wien'],
    2,
    'CONFIG_WRONG_TYPE',
  ],
  [['config', 'check', 'missing.yml'], 2, 'CONFIG_NOT_FOUND'],
  [['config', 'check', 'unknown-key.yml'], 2, 'CONFIG_UNKNOWN_KEY'],
  [['config', 'diff'], 2, 'USAGE'],
  [['config', 'diff', 'other.yml'], 2, 'CONFIG_CONFLICT'],
  [['app', 'add'], 2, 'USAGE'],
  [['app', 'add', 'guestbook'], 2, 'USAGE'],
  [['app', 'add', 'Guest_Book', 'empty'], 2, 'NAME_INVALID'],
  [['app', 'add', 'guestbook', 'missing'], 10, 'SOURCE_NOT_FOUND'],
  [['app', 'add', 'guestbook', 'empty'], 2, 'COMPOSE_NOT_FOUND'],
  [['app', 'add', 'guestbook', 'no-yaml'], 2, 'COMPOSE_SYNTAX'],
  [['app', 'add', 'guestbook', 'privileged'], 2, 'COMPOSE_KEY_REFUSED'],
  [['app', 'add', 'guestbook', 'no-section'], 2, 'COMPOSE_INVALID'],
  [['app', 'add', 'guestbook', 'ext::sh -c id'], 2, 'SOURCE_REFUSED'],
  [['app', 'add', 'guestbook', 'empty', '--set', 'TITLE'], 2, 'USAGE'],
  [['app', 'show'], 2, 'USAGE'],
  [['app', 'show', 'wiki'], 2, 'APP_UNKNOWN'],
  [['app', 'logs', 'wiki'], 2, 'APP_UNKNOWN'],
  [['app', 'exec', 'wiki', 'date'], 2, 'APP_UNKNOWN'],
  [['app', 'exec', 'wiki', 'date', '--utc'], 2, 'USAGE'],
  [['app', 'restart', 'wiki'], 2, 'APP_UNKNOWN'],
  [['app', 'remove', 'wiki'], 2, 'APP_UNKNOWN'],
  [['app', 'remove', 'wiki', '--data'], 2, 'APP_UNKNOWN'],
  [['app', 'rotate-password', 'wiki'], 2, 'APP_UNKNOWN'],
  [['logs', 'wiki'], 2, 'APP_UNKNOWN'],
  [['logs', '--lines', '0'], 2, 'USAGE'],
  [['logs', '--lines', '1e3'], 2, 'USAGE'],
  [['operation', 'list', '--limit', 'all'], 2, 'USAGE'],
  [['operation', 'show', 'wiki'], 2, 'OPERATION_UNKNOWN'],
  [['operation', 'resume', '../../etc/passwd'], 2, 'OPERATION_UNKNOWN'],
  [['operation', 'undo', '20261120-093012-up-k3fq'], 2, 'OPERATION_UNKNOWN'],
  [['service', 'on'], 2, 'USAGE'],
  [['service', 'on', ' '], 2, 'USAGE'],
  [['service', 'on', 'Moving', '--until', 'yesterday'], 2, 'USAGE'],
  [['completion', 'tcsh'], 2, 'USAGE'],
  [['page'], 1, 'DAEMON_UNREACHABLE'],
  [['daemon', '--page-port', '99999'], 2, 'USAGE'],
]

/** Rows that are about the words alone: they are refused before any config is looked for. */
const WORDS_ALONE = BAD.filter(([words, , code]) => {
  return ['USAGE', 'NAME_INVALID'].includes(code) && !['--state', 'exec'].some((word) => words.includes(word))
})

function expectNoStack(ran: Ran) {
  expect(ran.stdout + ran.stderr).not.toMatch(/^\s+at .+:\d+:\d+\)?$/m)
  expect(ran.stdout + ran.stderr).not.toContain('INTERNAL')
}

describe('a bad command line', () => {
  test.each(BAD.map(([words, exit, code]) => [words.join(' '), exit, code, words] as const))(
    'caretaker %s: exit %i, %s',
    async (_line, exit, code, words) => {
      const before = await contentOf(appliance.home)
      const text = await appliance.run(...words)
      const json = await appliance.run('--json', ...words)

      expect(text.stderr).toMatch(/^error: .+\n {2}why: {2}.+\n {2}next: .+\n {2}code: /m)
      expect(text.stderr).toContain(`code: ${code}, exit ${exit}`)
      expect(text.stdout).toBe('')
      expect(text.code).toBe(exit)

      const document = JSON.parse(json.stdout) as { error: Record<string, unknown> }
      expect(Object.keys(document)).toEqual(['error'])
      expect(document.error).toMatchObject({ code, exit_code: exit })
      for (const part of ['what', 'why', 'next']) expect(document.error[part]).toMatch(/\S/)
      expect(json.stderr).toBe('')
      expect(json.code).toBe(exit)

      for (const ran of [text, json]) expectNoStack(ran)
      expect(await contentOf(appliance.home)).toEqual(before)
    },
  )
})

describe('what an application wrote', () => {
  // oxlint-disable-next-line no-control-regex
  const COMMANDS = /[\u0007\u001b\u009b\u202e]/
  const line = 'the till is \u001b[31mred\u001b]0;x\u0007 \u009b2J \u202etxet'

  test('carries no command to the terminal; --json tells it as it is', async () => {
    await appendFile(join(appliance.state, 'logs/appliance/gateway.log'), `${line}\n`)
    const text = await appliance.ok('logs', 'gateway')
    expect(text.stdout).toContain('the till is ?[31mred?]0;x?')
    expect(text.stdout).not.toMatch(COMMANDS)
    const { logs } = await appliance.json<{ logs: readonly { lines: readonly string[] }[] }>(
      'logs',
      'gateway',
    )
    expect(logs[0]?.lines.at(-1)).toBe(line)
  })

  test('nor does what a person typed', async () => {
    const ran = await appliance.run('service', 'on', 'a\u001b]0;x\u0007 \u202e')
    expect(ran).toMatchObject({ code: 2, stderr: expect.stringContaining('control character') })
    expect(ran.stderr).not.toMatch(COMMANDS)
  })
})

describe('without a valid config', () => {
  test.each(WORDS_ALONE.map(([words, exit, code]) => [words.join(' '), exit, code, words] as const))(
    'caretaker %s: exit %i, %s, not that there is no config',
    async (_line, exit, code, words) => {
      const ran = await appliance.run('--state', 'never', ...words)
      expect(ran.stderr).toContain(`code: ${code}, exit ${exit}`)
      expect(ran.code).toBe(exit)
    },
  )

  test('status says so as a state: text, JSON and exit code', async () => {
    for (const [words, exit] of [
      [['--config', 'missing.yml'], 2],
      // Its secrets are sealed, and the identity lies in the state folder it was copied from.
      [['--config', 'unknown-key.yml'], 12],
    ] as const) {
      const text = await appliance.run('status', ...words, '--state', 'never')
      expect(text.stdout).toMatch(/^caretaker: unconfigured — .+\n {2}next: /)
      expect(text).toMatchObject({ code: exit, stderr: '' })
      const shown = await appliance.json('status', ...words, '--state', 'never')
      expect(shown).toMatchObject({ state: 'unconfigured', serving: false, exit_code: exit, apps: [] })
    }
    expect(Object.keys(await contentOf(appliance.home))).not.toContain('never')
  })

  test('the last good one stays in force, and is named', async () => {
    const config = join(appliance.state, 'appliance.yml')
    const good = await readFile(config, 'utf8')
    await writeFile(config, good.replace('\n  postgres:', '\n  postgre:'))
    try {
      const shown = await appliance.json<{ parts: { part: string; reason: string; next: string }[] }>(
        'status',
      )
      const part = shown.parts.find((entry) => entry.part === 'config')
      expect(part?.reason).toContain('In force is ')
      expect(part?.reason).toContain(`${config} as of`)
      expect((await appliance.run('app', 'list')).code).toBe(0)
      expect((await appliance.run('down')).code).toBe(0)
      const refused = await appliance.run('up')
      expect(refused.code).toBe(2)
      expect(refused.stderr).toContain('CONFIG_UNKNOWN_KEY')
      expect(refused.stderr).toContain('In force is ')
    } finally {
      await writeFile(config, good)
    }
  })
})

describe('help and version', () => {
  test('go to standard output, with exit code 0', async () => {
    for (const words of [['--help'], ['app', '--help'], ['help', 'up'], ['app', 'add', '--help']]) {
      const ran = await appliance.run(...words)
      expect(ran).toMatchObject({ code: 0, stderr: '' })
      expect(ran.stdout).toContain('Usage: caretaker')
      expect(ran.stdout).toContain('Examples:')
    }
    expect((await appliance.run('--version')).stdout).toMatch(/^\d+\.\d+\.\d+\n$/)
  })
})
