import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  buildWorker,
  describeViolations,
  killPointsOf,
  runScenario,
  runScenarios,
  type Scenario,
  type ScenarioResult,
} from './harness.ts'
import { type KillPoint, SABOTAGES, type Sabotage } from './orders.ts'
import { PLANS } from './plans.ts'

/**
 * Every plan is killed at every point that its own journal names, and restarted until it has ended.
 * `FAULTS_SABOTAGE=skip-append-sync` (or another key of {@link SABOTAGES}) runs the same with one part left out: red.
 */
const sabotage = process.env.FAULTS_SABOTAGE as Sabotage | undefined
if (sabotage && !(sabotage in SABOTAGES))
  throw new Error(`no sabotage is named ${sabotage}: ${Object.keys(SABOTAGES).join(', ')}`)
const WIDTH = 2
/** The plan that is also killed twice, and half-way through each record. */
const THOROUGH = 'fails and is undone'

describe('operations that are killed', () => {
  let folder: string
  let worker: string
  const all: ScenarioResult[] = []
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'caretaker-fault-worker-'))
    worker = buildWorker(folder)
  })
  afterAll(() => {
    rmSync(folder, { recursive: true })
    const processes = all.reduce((sum, result) => sum + result.processes, 0)
    const violations = describeViolations(all).length
    const points = all.reduce((sum, result) => sum + result.scenario.kills.length, 0)
    console.log(
      `fault harness: ${Object.keys(PLANS).length} plans, ${points} kills in ${all.length} runs, ${processes} processes, ${violations} violations`,
    )
  })

  const undisturbed = (plan: string) =>
    runScenario(worker, { plan, kills: [], ...(sabotage ? { sabotage } : {}) })
  const judged = async (scenarios: readonly Scenario[]) => {
    const results = await runScenarios(
      worker,
      scenarios.map((scenario) => ({ ...scenario, ...(sabotage ? { sabotage } : {}) })),
      WIDTH,
    )
    all.push(...results)
    return describeViolations(results)
  }

  it.each(Object.keys(PLANS))('end done, undone or stopped with all reasons: %s', async (plan) => {
    const calm = await undisturbed(plan)
    expect(describeViolations([calm])).toEqual([])
    const points = killPointsOf(calm.records, plan === THOROUGH)
    expect(points.length).toBeGreaterThan(calm.records.length * 2)
    expect(await judged(points.map((point) => ({ plan, kills: [point] })))).toEqual([])
  })

  it('end so after two crashes at different points', async () => {
    const points = killPointsOf((await undisturbed(THOROUGH)).records, false)
    expect(await judged(pairsOf(points).map((kills) => ({ plan: THOROUGH, kills })))).toEqual([])
  })
})

describe('the harness notices when a build leaves out', () => {
  let folder: string
  let worker: string
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'caretaker-fault-worker-'))
    worker = buildWorker(folder)
  })
  afterAll(() => rmSync(folder, { recursive: true }))

  it.each(Object.entries(SABOTAGES))('%s: %s', async (key) => {
    const plan = 'fails and is undone'
    const kills: KillPoint[] = [
      { at: 'journal-folder', phase: 'after-sync' },
      { at: 'apply', step: 'a' },
      { at: 'undo', step: 'a' },
    ]
    const scenarios = [[], ...kills.map((kill) => [kill])].map((each) => ({
      plan,
      kills: each,
      sabotage: key as Sabotage,
    }))
    const violations = describeViolations(await runScenarios(worker, scenarios, WIDTH))
    expect(violations, 'the judge saw nothing').not.toEqual([])
    console.log(`${key}: ${violations.length} violations, first: ${violations[0]}`)
  })
})

/** A crash after each record and in each step, and another one or three points later, in the restarted process. */
function pairsOf(points: readonly KillPoint[]): KillPoint[][] {
  // Until the second record is there, a crash leaves nothing that a restart would go on with.
  const begun = points.filter((point) =>
    point.at === 'record' ? point.phase === 'after-sync' && point.index > 0 : point.at !== 'journal-folder',
  )
  return begun.flatMap((first, index) =>
    [1, 4].flatMap((ahead) => {
      const second = begun[index + ahead]
      return second ? [[first, second]] : []
    }),
  )
}
