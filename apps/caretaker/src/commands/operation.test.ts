import type { OperationResult } from '@caretaker/steps/runner.ts'
import { expect, it } from 'vitest'
import { operationUndo } from './operation.ts'

const problems = (data: OperationResult) => operationUndo.problems?.(data as never)
const FAILED = { code: 'SMOKE_FAILED', what: 'w', why: 'y', next: 'n', exit_code: 5 } as const
const taken = { operation: '1-update-mail', outcome: 'undone', errors: [FAILED], steps: [] } as const

it('taking back that succeeded does not name the old reasons as errors; one that failed does', () => {
  expect(problems({ ...taken, exit_code: 0 })).toEqual([])
  expect(problems({ ...taken, outcome: 'stopped', exit_code: 5 })).toEqual([FAILED])
})
