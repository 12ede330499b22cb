// The kill matrix: see scripts/kill-matrix.mjs.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { ROOT } from '../support/appliance.ts'
import {
  ENGINE_VICTIMS,
  everyCase,
  type MatrixCase,
  nameOfCase,
  randomCases,
  sampleOf,
  VICTIMS,
} from './cases.ts'
import { type Reference, referTo } from './reference.ts'
import { keepResult, readResults } from './results.ts'
import { runCase } from './run-case.ts'
import { openStage, type StageOptions } from './stage.ts'
import { documentOf, lineOf, type MatrixRun } from './tell.ts'
import { UPDATES } from './updates.ts'

const USAGE = `Usage: npm run kill-matrix -- [--seed N] [--sample N | --all] [--random N] [--update NAME] [--only WORDS] [--minutes N] [--results FILE]
                             [--runtime process|docker] [--storage directory|btrfs]
--all tries every case and writes docs/kill-matrix.md: in processes on folders and, unless one of the two is named, in
containers on btrfs as well; with --minutes as many as begin in that time on each; with --results it goes on with what a
run before has left in that file.`
const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    sample: { type: 'string', default: '8' },
    all: { type: 'boolean', default: false },
    random: { type: 'string' },
    update: { type: 'string' },
    only: { type: 'string' },
    minutes: { type: 'string' },
    results: { type: 'string' },
    runtime: { type: 'string' },
    storage: { type: 'string' },
  },
})
const { all, only, runtime = 'process', storage = 'directory', results: file } = values
const whole = (text: string | undefined, otherwise: number) => (text === undefined ? otherwise : Number(text))
const seed = whole(values.seed, Math.floor(Math.random() * 2 ** 31))
const sample = whole(values.sample, 8)
const random = whole(values.random, all ? 50 : 0)
const minutes = whole(values.minutes, Number.MAX_SAFE_INTEGER)
if (
  ![seed, sample, random, minutes].every((number) => Number.isSafeInteger(number) && number >= 0) ||
  !(runtime === 'process' || runtime === 'docker') ||
  !(storage === 'directory' || storage === 'btrfs')
) {
  console.error(USAGE)
  process.exit(2)
}
const isNamed = values.runtime !== undefined || values.storage !== undefined
const places: readonly StageOptions[] =
  all && !isNamed
    ? [
        { runtime: 'process', storage: 'directory' },
        { runtime: 'docker', storage: 'btrfs' },
      ]
    : [{ runtime, storage }]

const runs: MatrixRun[] = []
for (const place of places) runs.push(await tryAt(place))
const results = runs.flatMap((run) => run.results)
const red = results.filter(({ violations }) => violations.length > 0)
console.log(`\n${results.length} cases, ${red.length} with something wrong (seed ${seed})`)
if (all) writeFileSync(join(ROOT, 'docs/kill-matrix.md'), documentOf(runs))
process.exitCode = red.length === 0 ? 0 : 1

async function tryAt(place: StageOptions): Promise<MatrixRun> {
  const until = performance.now() + minutes * 60_000
  const victims = place.runtime === 'docker' ? ENGINE_VICTIMS : VICTIMS
  console.log(`seed ${seed}, ${place.runtime}, ${place.storage}`)
  await using stage = await openStage(place)
  const references: Reference[] = []
  const tries = UPDATES.filter(({ name }) => values.update === undefined || values.update === name)
  for (const update of tries) references.push(await referTo(stage, update))
  const every = references.flatMap(({ update, steps }) => everyCase(update, steps, victims))
  const order = all ? sampleOf(every, seed, every.length) : sampleOf(every, seed, sample)
  const cases: readonly MatrixCase[] = [...order, ...randomCases(references, victims, seed, random)].filter(
    (tried) => only === undefined || nameOfCase(tried).includes(only),
  )
  // A run that goes on keeps what was found before.
  const found = [...readResults(file, place, references)]
  const known = new Set(found.map(({ tried }) => nameOfCase(tried)))
  for (const tried of cases) {
    if (known.has(nameOfCase(tried)) || performance.now() > until) continue
    const { layouts } = references.find(({ update }) => update === tried.update) as Reference
    const result = await runCase(stage, tried, layouts)
    found.push(result)
    keepResult(file, place, result)
    console.log(lineOf(result))
  }
  return { ...place, seed, references, planned: every.length, results: found }
}
