import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { evaluateTemplate, InterpolationError, parseTemplate, variablesIn } from './interpolate.ts'

const VALUES: Record<string, string> = { A: 'a', EMPTY: '' }

function expand(text: string): string {
  return evaluateTemplate(
    parseTemplate(text),
    (name) => VALUES[name],
    () => undefined,
  )
}

describe('variables in a compose file', () => {
  it.each([
    ['plain', 'plain'],
    ['$A-$A', 'a-a'],
    ['x${A}y', 'xay'],
    ['${NONE}|', '|'],
    ['${A:-d}', 'a'],
    ['${EMPTY:-d}', 'd'],
    ['${EMPTY-d}', ''],
    ['${NONE-d}', 'd'],
    ['${NONE:-}', ''],
    ['${A:+yes}', 'yes'],
    ['${EMPTY:+yes}', ''],
    ['${EMPTY+yes}', 'yes'],
    ['${NONE+yes}', ''],
    ['${A:?needed}', 'a'],
    ['${EMPTY?needed}', ''],
    ['${NONE:-${OTHER:-${A}!}}', 'a!'],
    ['${NONE:-x$$y}', 'x$y'],
    ['$$A $${A} cost: $5 100$', '$A ${A} cost: $5 100$'],
    ['${NONE:-http://h:1/p?q=1&r={}', 'http://h:1/p?q=1&r={'],
  ])('%s gives %s', (text, expected) => {
    expect(expand(text)).toBe(expected)
  })

  it.each(['${', '${A', '${1}', '${A/b/c}', '${}', '${A:-${B}', '${NONE:?say ${A}}', '${EMPTY:?}'])(
    '%s is refused',
    (text) => {
      expect(() => expand(text)).toThrow(InterpolationError)
    },
  )

  it('says the reason a required variable gives, with its own variables put in', () => {
    expect(() => expand('${NONE:?say ${A}}')).toThrow('it needs a value for NONE: say a')
  })

  it('names the variables of every branch', () => {
    expect(variablesIn(parseTemplate('$A ${B:-${C:+$D}} $$E'))).toEqual(['A', 'B', 'C', 'D'])
  })

  it('a text with every dollar sign doubled comes back as it was', () => {
    fc.assert(fc.property(fc.string(), (text) => expand(text.replaceAll('$', '$$$$')) === text))
  })
})
