import type { ErrorReport } from '@caretaker/kernel/errors.ts'
import { expect, it } from 'vitest'
import { renderError } from './render-error.ts'
import { PLAIN } from './style.ts'

const ERROR: ErrorReport = {
  code: 'CONFIG_UNKNOWN_KEY',
  what: 'The config was refused',
  why: '"postgre" is no key',
  next: 'Did you mean "postgres"?',
  exit_code: 2,
}

it('says what, why, what next, and the code', () => {
  expect(renderError(ERROR, PLAIN)).toBe(
    [
      'error: The config was refused',
      '  why:  "postgre" is no key',
      '  next: Did you mean "postgres"?',
      '  code: CONFIG_UNKNOWN_KEY, exit 2',
    ].join('\n'),
  )
})

it('names file and line', () => {
  expect(renderError({ ...ERROR, file: 'a.yml', line: 7 }, PLAIN)).toContain('refused (a.yml:7)\n')
  expect(renderError({ ...ERROR, file: 'a.yml' }, PLAIN)).toContain('refused (a.yml)\n')
})

it('shows every error found in the same go', () => {
  const text = renderError({ ...ERROR, also: [{ ...ERROR, why: 'and this' }] }, PLAIN)
  expect(text.match(/^error:/gm)).toHaveLength(2)
  expect(text).toContain('why:  and this')
})

it('keeps each part on its line, whatever a program said', () => {
  const text = renderError({ ...ERROR, why: 'it ended: a\r\n  next: rm -rf\u001b[2J\u202e' }, PLAIN)
  expect(text.split('\n')).toHaveLength(4)
  expect(text).toContain('rm -rf?[2J?')
})
