import { randomInt } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { everyCase, nameOfCase, sampleOf } from './cases.ts'
import { type Reference, referTo } from './reference.ts'
import { runCase } from './run-case.ts'
import { openStage, type Stage } from './stage.ts'
import { lineOf } from './tell.ts'
import { UPDATES } from './updates.ts'

const CASES = Number(process.env['KILL_MATRIX_CASES'] ?? 3)
const SEED = Number(process.env['KILL_MATRIX_SEED'] ?? randomInt(2 ** 31))

let stage: Stage
const references: Reference[] = []
beforeAll(async () => {
  stage = await openStage({ runtime: 'docker', storage: 'btrfs' })
  references.push(await referTo(stage, UPDATES[0]!))
}, 600_000)
afterAll(() => stage?.[Symbol.asyncDispose]())

test(`an update in containers on btrfs that is killed ends with the old or the new release and all data, ${CASES} times (KILL_MATRIX_SEED=${SEED})`, {
  timeout: 120_000 + CASES * 400_000,
}, async () => {
  const victims = ['daemon', 'command line', 'engine'] as const
  const cases = sampleOf(
    references.flatMap(({ update, steps }) => everyCase(update, steps, victims)),
    SEED,
    CASES,
  )
  for (const tried of cases) {
    const result = await runCase(stage, tried, references[0]!.layouts)
    console.log(lineOf(result))
    expect(result.violations, nameOfCase(tried)).toEqual([])
  }
})
