import { expect, it } from 'vitest'
import { lastWords } from './unfinished-update.ts'

it('of a reason full of log lines the last ones are told, a short one as it is', () => {
  const log = [
    ...Array.from({ length: 40 }, (_, at) => `2026-11-20 12:00:${at} LOG: checkpoint`),
    'FATAL: no',
  ].join('\n')
  const told = lastWords(log)
  expect(told).toMatch(/^… 2026.*FATAL: no$/s)
  expect(told.length).toBeLessThan(310)
  expect(lastWords('it ended with 1')).toBe('it ended with 1')
})
