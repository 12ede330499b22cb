import { inspect } from 'node:util'
import { AppError } from '@caretaker/kernel/errors.ts'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MAX_CONFIG_BYTES } from './config.ts'
import { parseConfig } from './parse.ts'
import { configText } from './testing/fixture.ts'

/** Longest time that one config may take, in ms; ten times what the worst one takes here. */
const SLOW_MS = 30_000

/** A config, or the error a person reads. Anything else fails the test. */
function outcome(text: string): 'config' | AppError {
  const start = performance.now()
  try {
    parseConfig(text, 'appliance.yml')
    return 'config'
  } catch (error) {
    if (error instanceof AppError && error.exitCode === 2) return error
    throw error
  } finally {
    expect(performance.now() - start).toBeLessThan(SLOW_MS)
  }
}

describe('any text gives a config or an error with exit code 2', () => {
  test('arbitrary text', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => void outcome(`#cloud-config\n${text}`)))
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => void outcome(text)))
  })

  test('a valid config with a part replaced', () => {
    const text = configText([
      'applications:',
      '  guestbook:',
      '    source: ./guestbook',
      '    secrets: {A: b}',
    ])
    const part = fc.oneof(
      fc.string(),
      fc.constantFrom(
        '\n',
        ':',
        ': ',
        '- ',
        '[',
        '{',
        '*a',
        '&a ',
        '<<: ',
        '!!',
        '"',
        "'",
        '|',
        '#',
        '\t',
        '  ',
        'null',
        '1e999',
        '.nan',
      ),
    )
    const cut = fc.tuple(fc.nat(text.length), fc.nat(40), part)
    fc.assert(
      fc.property(
        cut,
        ([at, length, piece]) => void outcome(text.slice(0, at) + piece + text.slice(at + length)),
      ),
      {
        numRuns: 500,
      },
    )
  })

  test('arbitrary values under every section', () => {
    const sections = fc.dictionary(
      fc.constantFrom(
        'id',
        'identity',
        'standby',
        'storage',
        'gateway',
        'applications',
        'keys',
        'recover',
        'tls',
        'x',
      ),
      fc.jsonValue({ maxDepth: 4 }),
    )
    fc.assert(
      fc.property(sections, (value) => void outcome(`#cloud-config\ncaretaker: ${JSON.stringify(value)}\n`)),
    )
  })

  const room = MAX_CONFIG_BYTES - 100
  test.each([
    ['nested lists', '['.repeat(room)],
    ['nested lists, closed', '['.repeat(room / 2) + ']'.repeat(room / 2)],
    ['nested mappings', '{a: '.repeat(room / 4)],
    ['nested sequences', `\n${'- '.repeat(room / 2)}`],
    [
      'nested keys',
      `\n${Array.from({ length: 480 }, (_, depth) => `${' '.repeat(depth + 1)}a:`).join('\n')}`,
    ],
    ['many keys', `\n${Array.from({ length: 12_000 }, (_, index) => ` k${index}:`).join('\n')}`],
    ['many colons', ': '.repeat(room / 2)],
    ['many anchors', '&a '.repeat(room / 3)],
    ['many tags', '!'.repeat(room)],
    ['many quotes', "'".repeat(room)],
    ['one long key', ` {${'a'.repeat(room - 10)}: 1}`],
    ['one long host', ` {identity: {domain: ${'a.'.repeat(room / 2 - 40)}b}}`],
    ['one long number', ` {standby: ${'1'.repeat(room - 40)}}`],
  ])('%s', (_name, value) => {
    const error = outcome(`#cloud-config\ncaretaker: ${value}`)
    expect(error).toBeInstanceOf(AppError)
    expect(JSON.stringify((error as AppError).toReport()).length).toBeLessThan(20_000)
  })

  test('laughing aliases are not expanded', () => {
    const lines = Array.from(
      { length: 30 },
      (_, index) => `a${index + 1}: &a${index + 1} [*a${index}, *a${index}]`,
    )
    expect(outcome(configText().replace('caretaker:', `a0: &a0 x\n${lines.join('\n')}\ncaretaker:`))).toBe(
      'config',
    )
  })
})

test('a config of 128 KiB is read, one byte more is refused', () => {
  const text = configText()
  const fill = '#'.repeat(MAX_CONFIG_BYTES - text.length)
  expect(outcome(text + fill)).toBe('config')
  expect(outcome(`${text + fill}#`)).toMatchObject({ code: 'CONFIG_TOO_LARGE' })
})

test('windows line ends are accepted', () => {
  expect(outcome(configText().replaceAll('\n', '\r\n'))).toBe('config')
})

test('no secret shows in the printed config, nor in the errors of a wrong one', () => {
  const lines = [
    'applications:',
    '  guestbook:',
    '    source: ./g',
    '    secrets:',
    '      TOKEN: canary-4711-canary',
  ]
  const { config } = parseConfig(configText(lines), 'appliance.yml')
  const printed = inspect(config, { depth: 9 }) + JSON.stringify(config)
  expect(printed).not.toMatch(/canary-4711|AGE-SECRET-KEY|BEGIN PRIVATE/)
  expect(config.applications.guestbook?.secrets.TOKEN?.reveal()).toBe('canary-4711-canary')
  const wrong = outcome(
    configText([...lines, '      LIST: [canary-0815-canary]', '    environment: {A: [canary-0815-canary]}']),
  )
  expect(JSON.stringify((wrong as AppError).toReport())).not.toContain('canary-0815')
})

test('the parsed config cannot be changed', () => {
  const { config } = parseConfig(configText(), 'appliance.yml')
  expect(() => Object.assign(config.gateway, { https_port: 1 })).toThrow(TypeError)
})
