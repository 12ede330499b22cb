import { expect, it, test } from 'vitest'
import { givenReason } from './given-reason.ts'

test.each([
  ['the tag is known', 'the tag is known'],
  [' the tag\n is\r\nknown\t', 'the tag is known'],
  ['red \u001b[31mletters\u0007', 'red ?[31mletters?'],
])('%j is kept as %j', (given, kept) => {
  expect(givenReason(given, '--no-rehearsal')).toBe(kept)
})

it.each(['', '  ', '\n', '\u0007', '-'])('%j is no reason', (given) => {
  expect(() => givenReason(given, '--no-rehearsal')).toThrow(
    expect.objectContaining({ code: 'USAGE', exitCode: 2 }),
  )
})
