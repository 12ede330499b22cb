import { describe, expect, it } from 'vitest'
import { printable, printableDeep } from './printable.ts'

describe('a text of others for people', () => {
  it.each([
    ['a colour', '\u001b[31mred', '?[31mred'],
    ['the title of the window', '\u001b]0;x\u0007', '?]0;x?'],
    ['a command in one character (C1)', '\u009b2J', '?2J'],
    ['a carriage return that hides what was written', 'evil\rgood', 'evil?good'],
    ['backspaces', 'rm -rf\b\b\b', 'rm -rf???'],
    ['a text that runs backwards', 'a\u202ecba\u2066', 'a?cba?'],
    ['line separators', 'a\u2028b', 'a?b'],
  ])('%s has no effect', (_name, text, shown) => {
    expect(printable(text)).toBe(shown)
  })

  it('keeps lines, tabs and every script', () => {
    const text = 'Grüße\tשלום\u200f\n日本 👩‍👩‍👧\n'
    expect(printable(text)).toBe(text)
    expect(printable('a\r\nb')).toBe('a\nb')
  })

  it('in a whole document', () => {
    const shown = { a: ['?[0m', 1, null], b: { c: 'x', d: true } }
    expect(printableDeep({ a: ['\u001b[0m', 1, null], b: { c: 'x', d: true } })).toEqual(shown)
  })
})
