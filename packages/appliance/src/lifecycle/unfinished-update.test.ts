import { expect, it } from 'vitest'
import { bothReasons, lastWords } from './unfinished-update.ts'

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

it('why a change failed and why its way back did stand there once, however often that was tried', () => {
  const failed = { what: 'The data was not migrated', why: 'it ended with 1' }
  const stuck = (why: string) => ({ what: 'The release was not built', why })
  expect(bothReasons([failed, stuck('no base'), stuck('no base'), stuck('still no base')])).toEqual([
    'The data was not migrated: it ended with 1',
    'The release was not built: still no base',
  ])
  expect(bothReasons([stuck('no base'), stuck('no base')])).toEqual(['The release was not built: no base'])
  expect(bothReasons([])).toEqual([])
})
