import type { OperationResult } from '@caretaker/steps/runner.ts'
import { expect, it } from 'vitest'
import { errorsOf, operationUndo, withRunning } from './operation.ts'

const problems = (data: OperationResult) => operationUndo.problems?.(data as never)
const FAILED = { code: 'SMOKE_FAILED', what: 'w', why: 'y', next: 'n', exit_code: 5 } as const
const taken = { operation: '1-update-mail', outcome: 'undone', errors: [FAILED], steps: [] } as const

it('taking back that succeeded does not name the old reasons as errors; one that failed does', () => {
  expect(problems({ ...taken, exit_code: 0 })).toEqual([])
  expect(problems({ ...taken, outcome: 'stopped', exit_code: 5 })).toEqual([FAILED])
})

it('an update that was taken back does not name "caretaker up", nor the exit code of one that was not', () => {
  const next = 'Correct what it complains about, then "caretaker up"'
  const plan = {
    name: 'update-mail',
    purpose: '',
    onFailure: 'undo',
    onInterruption: 'go-back',
    steps: [],
  } as const
  const errors = [{ ...FAILED, next }]
  const ended = { type: 'ended', at: '', outcome: 'undone', errors } as const
  expect(errorsOf(plan, { errors, ended })).toMatchObject([
    { exit_code: 4, next: expect.stringMatching(/then repeat the command; this one was taken back/) },
  ])
  expect(errorsOf(plan, { errors, ended: { ...ended, outcome: 'stopped' } })).toEqual(errors)
})

it('what was begun under the lock that is held now is running, not unfinished', () => {
  const started_at = '2026-11-21T01:00:01.000Z'
  const by = { name: 'update-mail', purpose: '', user: 'ann', via: 'cli', ended_at: undefined }
  const entry = { operation: '1-update-mail', ...by, started_at, state: 'unfinished' } as const
  expect(withRunning(entry, '2026-11-21T01:00:00.000Z').state).toBe('running')
  expect(withRunning(entry, '2026-11-21T02:00:00.000Z').state).toBe('unfinished')
  expect(withRunning(entry, undefined).state).toBe('unfinished')
  expect(withRunning({ ...entry, state: 'done' }, '2026-11-21T01:00:00.000Z').state).toBe('done')
})
