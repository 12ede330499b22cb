import { AppError } from '@caretaker/kernel/errors.ts'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { journalPath, readJournal } from './journal.ts'
import type { JournalRecord } from './journal-records.ts'
import { replay } from './progress.ts'
import { runPlan } from './runner.ts'
import { createTestBed, STATE, type StepKind } from './test-bed.ts'

const anyOperation = fc.record({
  kinds: fc.array(fc.constantFrom<StepKind>('set', 'set', 'look', 'commit'), { minLength: 1, maxLength: 6 }),
  failingApply: fc.nat(8),
  failingUndo: fc.nat(8),
  cancelAt: fc.nat(12),
  onFailure: fc.constantFrom('undo' as const, 'stop' as const),
})

/** The journal of a generated operation that really ran. */
async function journalOf(
  made: typeof anyOperation extends fc.Arbitrary<infer T> ? T : never,
): Promise<readonly JournalRecord[]> {
  const bed = await createTestBed()
  const fail = () => {
    throw new AppError('COMMAND_FAILED', { what: 'w', why: 'y', next: 'n' })
  }
  const stop = new AbortController()
  bed.hooks.set(`apply s${made.failingApply}`, fail)
  bed.hooks.set(`undo s${made.failingUndo}`, fail)
  bed.hooks.set(`check s${made.cancelAt}`, () => {
    stop.abort()
    return undefined
  })
  const plan = bed.plan(made.onFailure, ...made.kinds.map((kind, index) => [kind, `s${index}`] as const))
  const { operation } = await runPlan(bed.runner, plan, stop.signal)
  return (await readJournal(bed.files, journalPath(STATE, operation)))?.records ?? []
}

describe('replaying a journal', () => {
  it('gives, for every beginning of every journal, a progress that makes sense', async () => {
    await fc.assert(
      fc.asyncProperty(anyOperation, async (made) => {
        const records = await journalOf(made)
        let wentBack = false
        for (let count = 1; count <= records.length; count += 1) {
          const progress = replay(records.slice(0, count))
          expect(replay(structuredClone(records.slice(0, count)))).toEqual(progress)
          // Once back, never forward again.
          expect(wentBack && progress.direction === 'forward').toBe(false)
          wentBack = progress.direction === 'back'
          const last = records[count - 1]
          expect(progress.ended !== undefined).toBe(last?.type === 'ended')
          expect(progress.paused).toBe(last?.type === 'paused')
          if (progress.ended?.outcome === 'done') expect(progress.direction).toBe('forward')
          if (progress.ended?.outcome === 'undone') expect(progress.direction).toBe('back')
          if (progress.ended?.outcome === 'stopped') expect(progress.givenUp).toBe(true)
          // At most one step is under way, and whatever was begun has its state before on record.
          const states = progress.steps.map((step) => step.state)
          expect(
            states.filter((state) => state === 'started' || state === 'undoing').length,
          ).toBeLessThanOrEqual(1)
          for (const step of progress.steps) {
            if (['started', 'applied', 'undoing', 'undone'].includes(step.state))
              expect(step.before).toBe(null)
          }
          expect(progress.errors.length).toBe(
            records.slice(0, count).filter((record) => record.type.endsWith('failed')).length,
          )
        }
      }),
    )
  })

  it('changes nothing in the records', async () => {
    await fc.assert(
      fc.asyncProperty(anyOperation, async (made) => {
        const records = await journalOf(made)
        const copy = structuredClone(records)
        replay(records)
        expect(records).toEqual(copy)
      }),
      { numRuns: 20 },
    )
  })

  it('keeps the first state before, also when that was nothing', () => {
    const step = { id: 'a', kind: 'set', input: null, summary: 's', wayBack: 'undo' as const }
    const at = 'now'
    const records: JournalRecord[] = [
      {
        type: 'planned',
        at,
        operation: 'o',
        plan: { name: 'n', purpose: 'p', onFailure: 'undo', steps: [step] },
        actor: { user: 'u', via: 'v' },
        boot_id: 'b',
      },
      { type: 'step-started', at, step: 'a', before: null },
      { type: 'resumed', at, boot_id: 'b', direction: 'forward' },
      { type: 'step-started', at, step: 'a', before: 'half' },
    ]
    expect(replay(records).steps[0]).toMatchObject({ before: null, crashes: 1, state: 'started' })
  })

  it('refuses what is no journal', () => {
    expect(() => replay([])).toThrow('begins with its plan')
  })
})
