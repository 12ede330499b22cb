import { randomInt } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { everyCase, type MatrixVictim, nameOfCase, sampleOf } from './cases.ts'
import { type Reference, referTo } from './reference.ts'
import { runCase } from './run-case.ts'
import { openStage, type Stage, type StageOptions } from './stage.ts'
import { lineOf } from './tell.ts'
import { UPDATES } from './updates.ts'

/**
 * Tries so many cases of the whole matrix, which `npm run kill-matrix -- --all` tries, and those of these names, which
 * went wrong once. KILL_MATRIX_CASES and KILL_MATRIX_SEED of the environment say otherwise.
 */
export function trySample(
  place: StageOptions,
  victims: readonly MatrixVictim[],
  count: number,
  env: NodeJS.ProcessEnv,
  always: readonly string[] = [],
): void {
  const cases = Number(env['KILL_MATRIX_CASES'] ?? count)
  const seed = Number(env['KILL_MATRIX_SEED'] ?? randomInt(2 ** 31))
  // The one that migrates, and one of the others.
  const updates = [UPDATES[0]!, UPDATES[1 + (seed % (UPDATES.length - 1))]!]
  let stage: Stage
  const references: Reference[] = []
  beforeAll(async () => {
    stage = await openStage(place)
    for (const update of updates) references.push(await referTo(stage, update))
  }, 900_000)
  afterAll(() => stage?.[Symbol.asyncDispose](), 120_000)

  test(`an update that is killed ends with the old or the new release and all data, ${cases} times (KILL_MATRIX_SEED=${seed})`, {
    timeout: 120_000 + (always.length + cases) * 400_000,
  }, async () => {
    const every = references.flatMap(({ update, steps }) => everyCase(update, steps, victims))
    const known = every.filter((tried) => always.includes(nameOfCase(tried)))
    const sample = [...known, ...sampleOf(every, seed, cases)]
    expect(sample).toHaveLength(always.length + cases)
    for (const tried of sample) {
      const { layouts } = references.find(({ update }) => update === tried.update) as Reference
      const result = await runCase(stage, tried, layouts)
      console.log(lineOf(result))
      expect(result.violations, nameOfCase(tried)).toEqual([])
      // The kill struck: it did not wait for a step that is not taken any more.
      expect(result.struck, nameOfCase(tried)).toBeDefined()
      if (tried.update.ends === 'OLD') expect(result.outcome).toBe('OLD')
    }
  })
}
