import { describe, expect, it } from 'vitest'
import { everyCase, nameOfCase, randomCases, sampleOf, stepsOf, VICTIMS } from './cases.ts'
import type { SeenRecord } from './journals.ts'
import { UPDATES } from './updates.ts'

const [migrates, , fails] = UPDATES
const at = '2026-01-01T00:00:00.000Z'
const later = '2026-01-01T00:00:02.000Z'
const operation = '20260101-000000-update-guestbook-abcd'
const records: readonly SeenRecord[] = [
  { operation, record: { type: 'step-started', at, step: 'stop', before: null } },
  { operation, record: { type: 'step-applied', at, step: 'stop', duration_ms: 40 } },
  { operation, record: { type: 'step-skipped', at, step: 'keep' } },
  { operation, record: { type: 'step-started', at, step: 'migrate', before: null } },
  {
    operation,
    record: {
      type: 'step-failed',
      at: later,
      step: 'migrate',
      error: { code: 'MIGRATION_FAILED', what: '', why: '', next: '', exit_code: 4 } as never,
    },
  },
  { operation, record: { type: 'step-undone', at: later, step: 'migrate', duration_ms: 7 } },
]

describe('the steps of an update', () => {
  it('are those that were taken, the one that failed, and those that were taken back', () => {
    expect(stepsOf(records)).toEqual([
      { phase: 'update', step: 'stop', durationMs: 40 },
      { phase: 'update', step: 'migrate', durationMs: 2000 },
      { phase: 'way back', step: 'migrate', durationMs: 7 },
    ])
  })

  it('are tried with every victim at every instant; of one that fails only its way back', () => {
    expect(everyCase(migrates!, stepsOf(records))).toHaveLength(3 * VICTIMS.length * 3)
    expect([...new Set(everyCase(fails!, stepsOf(records)).map(({ at: { phase } }) => phase))]).toEqual([
      'way back',
    ])
  })
})

describe('a sample', () => {
  const every = UPDATES.flatMap((update) => everyCase(update, stepsOf(records)))

  it('follows from the seed and leaves out no update, victim or instant', () => {
    const sample = sampleOf(every, 7, 6)
    expect(sample.map(nameOfCase)).toEqual(sampleOf(every, 7, 6).map(nameOfCase))
    expect(sample.map(nameOfCase)).not.toEqual(sampleOf(every, 8, 6).map(nameOfCase))
    expect(new Set(sample.map(({ update }) => update)).size).toBe(UPDATES.length)
    expect(new Set(sample.map(({ victim }) => victim)).size).toBe(VICTIMS.length)
    expect(new Set(sample.map(({ at: { instant } }) => instant)).size).toBe(3)
  })

  it('of all is all', () => {
    expect(new Set(sampleOf(every, 7, every.length + 10))).toEqual(new Set(every))
  })
})

it('random instants follow from the seed and lie within the update, or a little after', () => {
  const cases = randomCases([{ update: migrates!, lastsMs: 1000 }], VICTIMS, 3, 50)
  expect(cases).toEqual(randomCases([{ update: migrates!, lastsMs: 1000 }], VICTIMS, 3, 50))
  for (const each of cases) expect(each.at.afterMs).toBeLessThanOrEqual(1100)
  expect(Math.max(...cases.map((each) => each.at.afterMs))).toBeGreaterThan(800)
})
