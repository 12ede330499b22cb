import type { UpReport } from '@caretaker/appliance/lifecycle/up.ts'
import type { ErrorReport } from '@caretaker/kernel/errors.ts'
import type { Preview } from '@caretaker/steps/preview.ts'
import type { OperationResult } from '@caretaker/steps/runner.ts'
import { describe, expect, it } from 'vitest'
import { problemsOf, renderPreviews, renderReport } from './render-report.ts'
import { PLAIN } from './style.ts'

const report = (over: Partial<UpReport>): UpReport => ({
  nothing_to_do: false,
  operations: [],
  errors: [],
  warnings: [],
  not_started: null,
  exit_code: 0,
  ...over,
})
const operation = (over: Partial<OperationResult>): OperationResult => ({
  operation: '20261120-093012-up-k3fq',
  outcome: 'done',
  errors: [],
  steps: [],
  exit_code: 0,
  ...over,
})
const FAILED: ErrorReport = { code: 'SMOKE_FAILED', what: 'w', why: 'y', next: 'n', exit_code: 5 }

describe('how a command ended', () => {
  it('well', () => {
    expect(renderReport(report({ operations: [operation({})] }), PLAIN, 'It is up.')).toBe('It is up.')
    expect(problemsOf(report({}))).toEqual([])
  })

  it('with nothing to do', () => {
    expect(renderReport(report({ nothing_to_do: true }), PLAIN, 'It is up.')).toContain('Nothing to do')
  })

  it('well, but in service mode: that no application was started is said, and what ends it', () => {
    const not_started = 'service mode is on (Moving); "caretaker service off" ends it'
    for (const nothing_to_do of [true, false]) {
      const text = renderReport(report({ nothing_to_do, not_started }), PLAIN, 'It is served.')
      expect(text).toBe(`No application was started: ${not_started}`)
    }
    expect(renderReport(report({ not_started, errors: [FAILED], exit_code: 5 }), PLAIN, 'It is up.')).toBe('')
  })

  it('badly: the reasons are problems, and nothing is claimed to be done', () => {
    const bad = report({ errors: [FAILED], exit_code: 5 })
    expect(renderReport(bad, PLAIN, 'It is up.')).toBe('')
    expect(problemsOf(bad)).toEqual([FAILED])
  })

  it('cancelled: the operation and the command that goes on are named', () => {
    const cancelled = report({
      operations: [operation({ outcome: 'cancelled', exit_code: 130 })],
      exit_code: 130,
    })
    expect(renderReport(cancelled, PLAIN, 'It is up.')).toBe('')
    expect(problemsOf(cancelled)).toEqual([expect.objectContaining({ code: 'CANCELLED', exit_code: 130 })])
    expect(problemsOf(cancelled)[0]?.next).toContain('caretaker operation resume 20261120-093012-up-k3fq')
  })

  it('cancelled between two operations', () => {
    const between = report({ exit_code: 130 })
    expect(renderReport(between, PLAIN, 'It is up.')).toBe('')
    expect(problemsOf(between)).toEqual([expect.objectContaining({ code: 'CANCELLED' })])
  })

  it('an answer of --dry-run has no problems', () => {
    expect(problemsOf({})).toEqual([])
  })
})

describe('a plan', () => {
  const PREVIEW: Preview = {
    name: 'up',
    purpose: 'start guestbook 2',
    on_failure: 'undo',
    steps: [
      { id: 'a', summary: 'Make folders', way_back: 'not-needed', state: 'done' },
      { id: 'b', summary: 'Migrate the data', way_back: 'impossible', state: 'take' },
      { id: 'c', summary: 'Start web', way_back: 'undo', state: 'blocked', why: 'no port', next: 'free one' },
    ],
  }

  it('shows the steps that will be taken, in order, each with its way back', () => {
    expect(renderPreviews([PREVIEW], PLAIN)).toBe(
      [
        'start guestbook 2 (after a failure it is taken back)',
        '   1. Migrate the data — POINT OF NO RETURN',
        '   2. Start web — can be undone',
        '     blocked: no port',
        '     next: free one',
        '',
        'Nothing was changed (dry run).',
      ].join('\n'),
    )
  })

  it('says when there is nothing to take', () => {
    const done = { ...PREVIEW, steps: PREVIEW.steps.slice(0, 1) }
    expect(renderPreviews([done], PLAIN)).toBe('Nothing to do: everything is as the config says.')
    expect(renderPreviews([], PLAIN)).toContain('Nothing to do')
  })
})
