import { createAppliance } from './appliance.ts'
import { caretaker, node, runProgram } from './programs.ts'
import { median, type Row } from './rows.ts'

const RUNS = 20
const GOAL_MS = 100

/** How long the command line takes from the command to its end, beside programs that do next to nothing. */
export async function start(): Promise<readonly Row[]> {
  await using appliance = await createAppliance()
  const { env } = appliance
  const bare = await time(node, ['-e', '0'], {})
  const git = await time('git', ['--version'], {}).catch(() => undefined)
  const beside = { what: 'bare node -e 0', value: bare }
  const rows: Row[] = []
  for (const words of [['--version'], ['--help'], ['operation', 'list'], ['config', 'check'], ['status']]) {
    const value = await time(caretaker, words, env)
    rows.push({ what: `caretaker ${words.join(' ')}`, value, unit: 'ms', beside, goal: GOAL_MS })
  }
  const version = rows[0]
  if (git !== undefined && version) {
    rows.push({ ...version, beside: { what: 'git --version', value: git } })
  }
  return rows
}

async function time(file: string, args: readonly string[], env: Readonly<Record<string, string>>) {
  const times: number[] = []
  for (let turn = 0; turn < RUNS; turn++) {
    const from = performance.now()
    await runProgram(file, args, { env })
    times.push(performance.now() - from)
  }
  return median(times)
}
