import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { writeDurably } from '@caretaker/ports/durable.ts'
import { MemoryFiles } from '@caretaker/ports/memory-files.ts'
import { buildSync } from 'esbuild'
import { judgeDeath, judgeEnd } from './judge.ts'
import { imageFile, type KillPoint, type Orders, type Sabotage, STATE, sprungFile } from './orders.ts'
import { INITIAL, planNamed } from './plans.ts'
import { readDurableState, type SeenRecord } from './remains.ts'

/** More deaths than any plan can cause by itself, with two from outside. */
const MOST_RESTARTS = 10
/** A worker takes a fraction of a second; one that takes this long hangs. */
const WORKER_LIMIT_MS = 120_000

export interface Scenario {
  readonly plan: string
  readonly kills: readonly KillPoint[]
  readonly sabotage?: Sabotage
}

export interface ScenarioResult {
  readonly scenario: Scenario
  readonly processes: number
  readonly violations: readonly string[]
  /** The journal as it ended. */
  readonly records: readonly SeenRecord[]
}

/** Builds the worker into one file, which starts in half the time. Gives its path. */
export function buildWorker(folder: string): string {
  const outfile = join(folder, 'worker.mjs')
  const entryPoints = [fileURLToPath(new URL('worker.ts', import.meta.url))]
  buildSync({ entryPoints, outfile, bundle: true, platform: 'node', format: 'esm', logLevel: 'error' })
  return outfile
}

/** Runs a plan in a process of its own, kills it where the scenario says, restarts it until it ends, and judges. */
export async function runScenario(worker: string, scenario: Scenario): Promise<ScenarioResult> {
  const folder = mkdtempSync(join(tmpdir(), 'caretaker-faults-'))
  try {
    await prepareWorld(folder)
    const plan = planNamed(scenario.plan)
    const violations: string[] = []
    for (let processes = 1; processes <= MOST_RESTARTS; processes += 1) {
      const sprungBefore = sprung(folder)
      const ending = await runWorker(worker, {
        ...scenario,
        folder,
        mode: processes === 1 ? 'run' : 'resume',
      })
      const reached = sprung(folder) > sprungBefore ? scenario.kills[sprungBefore] : undefined
      const state = readDurableState(folder)
      if (ending.signal === 'SIGKILL') {
        violations.push(...judgeDeath(state, plan, reached))
        continue
      }
      if (ending.exitCode !== 0) violations.push(`a worker ended with ${ending.exitCode}: ${ending.stderr}`)
      violations.push(...judgeEnd(state, plan, ending.word))
      if (sprung(folder) < scenario.kills.length) violations.push('a kill point was never reached')
      return { scenario, processes, violations, records: state.records ?? [] }
    }
    return { scenario, processes: MOST_RESTARTS, violations: [...violations, 'it never ended'], records: [] }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** The points where to kill, from the journal of a run that nobody disturbed. `torn`: also half-way through each record. */
export function killPointsOf(records: readonly SeenRecord[], torn: boolean): readonly KillPoint[] {
  const points: KillPoint[] = (['before-sync', 'after-sync'] as const).map((phase) => ({
    at: 'journal-folder',
    phase,
  }))
  const phases = torn
    ? (['before-sync', 'torn', 'after-sync'] as const)
    : (['before-sync', 'after-sync'] as const)
  for (const [index, record] of records.entries()) {
    for (const phase of phases) points.push({ at: 'record', index, phase })
    const step = record.step?.split('/')[0] ?? ''
    if (record.type === 'step-started') points.push({ at: 'apply', step })
    if (record.type === 'undo-started') points.push({ at: 'undo', step })
  }
  return [...new Map(points.map((point) => [JSON.stringify(point), point])).values()]
}

/** Runs the scenarios, `width` at a time. */
export async function runScenarios(
  worker: string,
  scenarios: readonly Scenario[],
  width: number,
): Promise<readonly ScenarioResult[]> {
  const results: ScenarioResult[] = []
  const queue = scenarios.values()
  const work = async () => {
    for (const scenario of queue) results.push(await runScenario(worker, scenario))
  }
  await Promise.all(Array.from({ length: width }, work))
  return results
}

/** One line for each violation: plan, where it was killed, what is wrong. */
export function describeViolations(results: readonly ScenarioResult[]): string[] {
  return results.flatMap(({ scenario, violations }) =>
    violations.map(
      (violation) => `${scenario.plan} | killed at ${JSON.stringify(scenario.kills)} | ${violation}`,
    ),
  )
}

async function prepareWorld(folder: string): Promise<void> {
  const files = new MemoryFiles()
  for (const path of [STATE, '/world', '/cache']) await files.makeFolder(path)
  for (const [name, value] of Object.entries(INITIAL)) await writeDurably(files, `/world/${name}`, value)
  writeFileSync(imageFile(folder), JSON.stringify(files.durableImage()))
  writeFileSync(sprungFile(folder), '')
}

const sprung = (folder: string) => readFileSync(sprungFile(folder), 'utf8').length

interface Ending {
  readonly exitCode: number | null
  readonly signal: string | null
  /** The outcome that the worker printed. */
  readonly word: string | undefined
  readonly stderr: string
}

function runWorker(worker: string, orders: Orders): Promise<Ending> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['--no-warnings', worker, JSON.stringify(orders)], {
      timeout: WORKER_LIMIT_MS,
    })
    const said = { stdout: '', stderr: '' }
    child.stdout.on('data', (chunk) => (said.stdout += String(chunk)))
    child.stderr.on('data', (chunk) => (said.stderr += String(chunk)))
    child.on('error', reject)
    child.on('close', (exitCode, signal) => {
      const words: readonly string[] = exitCode === 0 ? JSON.parse(said.stdout) : []
      resolve({ exitCode, signal, word: words[0], stderr: said.stderr })
    })
  })
}
