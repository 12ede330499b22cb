import type { OperationEvent } from '@caretaker/steps/events.ts'
import type { Plan } from '@caretaker/steps/plan.ts'
import { describe, expect, it } from 'vitest'
import { createProgress, type ProgressMode } from './progress.ts'
import { PLAIN, type Style } from './style.ts'

const OPERATION = '20261120-093012-up-k3fq'
const PLAN: Plan = {
  name: 'up',
  purpose: 'start guestbook',
  onFailure: 'undo',
  steps: [
    { id: 'a', kind: 'k', summary: 'Make folders', wayBack: 'undo', input: {} },
    { id: 'b', kind: 'k', summary: 'Start web', wayBack: 'undo', input: {} },
  ],
}
const ERROR = { code: 'SERVICE_START_FAILED', what: 'w', why: 'port taken', next: 'n', exit_code: 5 } as const

const RUN: readonly OperationEvent[] = [
  { type: 'operation-started', operation: OPERATION, plan: PLAN, resumed: false },
  { type: 'step-started', operation: OPERATION, step: 'a', summary: 'Make folders' },
  { type: 'step-progress', operation: OPERATION, step: 'a', message: 'half' },
  { type: 'step-applied', operation: OPERATION, step: 'a', duration_ms: 12 },
  { type: 'step-started', operation: OPERATION, step: 'b', summary: 'Start web' },
  { type: 'step-failed', operation: OPERATION, step: 'b', error: ERROR },
  { type: 'undo-begun', operation: OPERATION },
  { type: 'undo-started', operation: OPERATION, step: 'a' },
  { type: 'step-undone', operation: OPERATION, step: 'a', duration_ms: 3 },
  { type: 'operation-ended', operation: OPERATION, outcome: 'undone', errors: [ERROR], duration_ms: 20 },
]

function shown(mode: ProgressMode, style: Style = PLAIN, events = RUN): string {
  let text = ''
  const write = (part: string | Uint8Array) => {
    text += String(part)
    return true
  }
  const emit = createProgress(mode, { write }, style)
  for (const event of events) emit(event)
  return text
}

const TERMINAL: Style = { ...PLAIN, rewrites: true, width: 20 }
const CLEAR = '\r\u001b[2K'

describe('progress', () => {
  it.each(['plain', 'auto'] as const)(
    '%s, for a log: a line for what is done, none for what begins',
    (mode) => {
      expect(shown(mode)).toBe(
        [
          'start guestbook',
          '✓ Make folders 12 ms',
          '✗ Start web port taken',
          'Taking back what was done',
          '↩ Make folders 3 ms',
          '',
        ].join('\n'),
      )
    },
  )

  it('auto, on a terminal: the step under way stands in the last line and is written over', () => {
    const text = shown('auto', TERMINAL)
    expect(text).toContain(`${CLEAR}… Make folders${CLEAR}… Make folders: hal${CLEAR}✓ Make folders 12 ms\n`)
    expect(text.split('\n').every((line) => (line.split(CLEAR).at(-1) ?? '').length <= 40)).toBe(true)
    expect(text.endsWith('\n')).toBe(true)
  })

  it('auto, on a terminal: no line is longer than it while a step is under way', () => {
    const long = { type: 'step-progress', operation: OPERATION, step: 'a', message: 'x'.repeat(200) } as const
    const last =
      shown('auto', TERMINAL, [RUN[0] as OperationEvent, long])
        .split(CLEAR)
        .at(-1) ?? ''
    expect(last.length).toBeLessThan(TERMINAL.width)
  })

  it('shows no control characters of a program', () => {
    const hostile = {
      type: 'step-progress',
      operation: OPERATION,
      step: 'a',
      message: 'a\u001b[2J\nb',
    } as const
    expect(shown('auto', TERMINAL, [RUN[0] as OperationEvent, hostile])).not.toContain('\u001b[2J')
  })

  it('plain, on a terminal: nothing is written over', () => {
    expect(shown('plain', TERMINAL)).not.toContain('\u001b')
  })

  it('json: one event a line', () => {
    const lines = shown('json').trimEnd().split('\n')
    expect(lines.map((line) => JSON.parse(line) as OperationEvent)).toEqual(RUN)
  })

  it('none: nothing', () => {
    expect(shown('none', TERMINAL)).toBe('')
  })

  it('says when an operation goes on', () => {
    const resumed = { ...(RUN[0] as OperationEvent & { type: 'operation-started' }), resumed: true }
    expect(shown('plain', PLAIN, [resumed])).toBe('start guestbook (goes on)\n')
  })
})
