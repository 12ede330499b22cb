import fc from 'fast-check'
import { expect, it } from 'vitest'
import { COMMANDS } from '../commands/all.ts'
import { VERSION } from '../version.ts'
import { parseCommandLine } from './program.ts'

const names = COMMANDS.flatMap(({ name }) => name.split(' '))
const flags = COMMANDS.flatMap(({ options = [] }) =>
  options.map((option) => option.flags.split(/[ ,=]/)[0] ?? ''),
)
const word = fc.oneof(
  fc.constantFrom(...names, ...flags),
  fc.constantFrom(
    '--json',
    '--help',
    '-h',
    '-V',
    '--state',
    '--config',
    '--',
    '-',
    '',
    '=',
    '--=',
    '-xyz',
    '--json=1',
  ),
  fc.constantFrom('__proto__', 'constructor', '--__proto__=1', '--no-json', '\0', '\n', '--état', '-1', '..'),
  fc.string(),
  fc.string({ unit: 'binary' }),
  fc.tuple(fc.constantFrom(...flags), fc.string()).map(([flag, value]) => `${flag}=${value}`),
)
/** A command that exists, in front of anything: most random words stop at the first. */
const line = fc.oneof(
  fc.array(word, { maxLength: 8 }),
  fc
    .tuple(fc.constantFrom(...COMMANDS), fc.array(word, { maxLength: 6 }))
    .map(([{ name }, words]) => [...name.split(' '), ...words]),
)

it('takes any words for a command, a text to show, or a usage error that says what to type', () => {
  fc.assert(
    fc.property(
      line,
      fc.dictionary(fc.constantFrom('CARETAKER_STATE', 'CARETAKER_CONFIG'), fc.string()),
      (words, env) => {
        const parsed = parseCommandLine(COMMANDS, VERSION, words, env)
        if (parsed.kind === 'text') return
        if (parsed.kind === 'invocation') {
          const { definition, arguments: given } = parsed.invocation
          expect(COMMANDS).toContain(definition)
          const wanted = definition.arguments ?? []
          expect(given.length).toBeGreaterThanOrEqual(wanted.filter((argument) => !argument.optional).length)
          if (!wanted.some((argument) => argument.variadic))
            expect(given.length).toBeLessThanOrEqual(wanted.length)
          return
        }
        const { code, exitCode, what, why, next } = parsed.error
        expect(['USAGE', 'NOT_IN_THIS_VERSION']).toContain(code)
        expect(exitCode).toBe(2)
        for (const part of [what, why, next]) expect(part.trim()).not.toBe('')
        expect(`${what}${why}${next}${parsed.help}`).not.toMatch(/\n\s+at |undefined|\[object|commander\./)
      },
    ),
    { numRuns: 1500 },
  )
})
