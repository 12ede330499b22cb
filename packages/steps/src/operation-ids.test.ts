import { DAY_MS } from '@caretaker/kernel/time.ts'
import { expect, it } from 'vitest'
import { listOperations } from './operations.ts'
import { runPlan } from './runner.ts'
import { createTestBed, quiet, STATE } from './test-bed.ts'

it.each([
  ['stands still', 0],
  ['is set back by a day', -DAY_MS],
  ['is set ahead by a year', 365 * DAY_MS],
])('operations are unique and listed as they came when the clock %s', async (_name, jumpMs) => {
  const bed = await createTestBed()
  const begun: string[] = []
  for (const value of ['a', 'b', 'c', 'd', 'e', 'f']) {
    begun.push((await runPlan(bed.runner, bed.plan('undo', ['set', value]), quiet())).operation)
    bed.clock.setWall(
      new Date(bed.clock.now().getTime() + (begun.length % 3 === 0 ? -jumpMs : jumpMs)).toISOString(),
    )
  }
  expect(new Set(begun).size).toBe(begun.length)
  const listed = await listOperations(bed.files, STATE)
  expect(listed.map(({ operation }) => operation)).toEqual(begun.toReversed())
})
