import { expect, it } from 'vitest'
import { PLAIN } from './style.ts'
import { table } from './table.ts'

it('pads every column to its widest cell, and leaves no blanks at the end of a line', () => {
  const text = table(
    PLAIN,
    ['NAME', 'STATE', 'ADDRESS'],
    [
      ['guestbook', 'serving', 'https://a'],
      ['w', '', ''],
    ],
  )
  expect(text.split('\n')).toEqual(['NAME       STATE    ADDRESS', 'guestbook  serving  https://a', 'w'])
})

it('shows headings only when there are no rows', () => {
  expect(table(PLAIN, ['A', 'B'], [])).toBe('A  B')
})

it('keeps what others named on its own line: control characters do not reach the terminal', () => {
  const text = table(PLAIN, ['A', 'B'], [['x\u001b[31m\u0007y', 'one\ntwo\r']])
  expect(text).toBe('A         B\nx?[31m?y  one two')
})
