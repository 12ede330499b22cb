import type { ErrorCode } from '@caretaker/kernel/error-codes.ts'
import { AppError } from '@caretaker/kernel/errors.ts'
import type { JournalRecord } from '@caretaker/steps/journal-records.ts'
import { expect, test } from 'vitest'
import { judgeRehearsal } from './judge-rehearsal.ts'

const at = (second: number) => `2026-11-20T10:00:${String(second).padStart(2, '0')}.000Z`
const step = (kind: string) =>
  ({ id: `c/${kind}`, kind, input: null, summary: `do ${kind}`, wayBack: 'not-needed' }) as const
const KINDS = ['release.prepare', 'clone.create', 'rehearsal.migrate', 'rehearsal.smoke', 'clone.remove']
const planned: JournalRecord = {
  type: 'planned',
  at: at(0),
  operation: 'o',
  plan: { name: 'rehearse-shop', purpose: '', onFailure: 'undo', steps: KINDS.map(step) },
  actor: { user: 'u', via: 'v' },
  boot_id: 'b',
}
const begun = (kind: string, second: number): JournalRecord => ({
  type: 'step-started',
  at: at(second),
  step: `c/${kind}`,
  before: null,
})
const done = (kind: string, second: number, duration_ms: number): JournalRecord => ({
  type: 'step-applied',
  at: at(second),
  step: `c/${kind}`,
  duration_ms,
})
const failed = (kind: string, code: ErrorCode, second = 9): JournalRecord => ({
  type: 'step-failed',
  at: at(second),
  step: `c/${kind}`,
  error: new AppError(code, { what: 'w', why: 'y', next: 'n' }).toReport(),
})
const ended = (outcome: 'done' | 'undone'): JournalRecord => ({
  type: 'ended',
  at: at(20),
  outcome,
  errors: [],
})

test('a rehearsal that was done is good, with its times', () => {
  const records = [planned, begun('rehearsal.migrate', 1), done('rehearsal.migrate', 5, 4200), ended('done')]
  expect(judgeRehearsal(records)).toMatchObject({
    verdict: 'good',
    failed: null,
    migration_ms: 4200,
    duration_ms: 20_000,
    steps: [{ step: 'c/rehearsal.migrate', state: 'applied', duration_ms: 4200 }],
  })
})

test.each([
  ['rehearsal.migrate', 'MIGRATION_FAILED'],
  ['rehearsal.migrate', 'STEP_TIMEOUT'],
  ['rehearsal.smoke', 'SMOKE_FAILED'],
  ['release.prepare', 'BUILD_FAILED'],
] as const)('a failure of the release is bad: %s, %s', (kind, code) => {
  const found = judgeRehearsal([planned, begun(kind, 2), failed(kind, code), ended('undone')])
  expect(found).toMatchObject({
    verdict: 'bad',
    failed: { step: `c/${kind}`, error: { code } },
    migration_ms: null,
    steps: [{ state: 'failed', duration_ms: 7000 }],
  })
})

test.each([
  ['clone.create', 'STORAGE_SPACE'],
  ['release.prepare', 'SOURCE_NOT_FOUND'],
  ['rehearsal.migrate', 'CANCELLED'],
  ['clone.remove', 'STEP_TIMEOUT'],
] as const)('what says nothing about the release is no verdict: %s, %s', (kind, code) => {
  expect(judgeRehearsal([planned, begun(kind, 2), failed(kind, code), ended('undone')])).toBeUndefined()
})

test('what a crash has ended is no verdict', () => {
  expect(judgeRehearsal([planned, begun('rehearsal.migrate', 1)])).toBeUndefined()
  expect(judgeRehearsal([planned, begun('rehearsal.migrate', 1), ended('undone')])).toBeUndefined()
})
