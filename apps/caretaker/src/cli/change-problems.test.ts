import { expect, it } from 'vitest'
import { problemsOfChange } from './change-problems.ts'

const FAILED = {
  code: 'MIGRATION_FAILED',
  what: 'mail was not migrated',
  why: 'it said so',
  next: 'Correct what it complains about, then "caretaker up"',
  exit_code: 5,
} as const

it('an update that was taken back names its exit code, what serves, and the command to repeat', () => {
  const again = 'caretaker app update mail --to v2'
  const report = { app: 'mail', from: 'v1', again, errors: [FAILED], exit_code: 4 } as const
  expect(problemsOfChange(report)).toEqual([
    {
      ...FAILED,
      next: 'Correct what it complains about, then "caretaker app update mail --to v2"; meanwhile mail runs v1 as before',
      exit_code: 4,
    },
  ])
})

it('one that was neither done nor taken back names what tries the way back again', () => {
  const stopped = { operation: 'ID', outcome: 'stopped', errors: [], steps: [], exit_code: 5 } as const
  const report = { app: 'mail', from: 'v1', errors: [FAILED], operations: [stopped], exit_code: 5 } as const
  expect(problemsOfChange(report)).toEqual([
    {
      ...FAILED,
      next: 'Correct what it complains about, then try the way back again: "caretaker operation undo ID"',
    },
  ])
})
