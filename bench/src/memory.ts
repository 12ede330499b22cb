import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { createAppliance } from './appliance.ts'
import { caretaker, node, root, startProgram, until } from './programs.ts'
import type { Row } from './rows.ts'

const IDLE_MS = 20_000
const GOAL_MB = 80
const GOAL_CPU_PERCENT = 1
/** USER_HZ of Linux. */
const TICKS_PER_S = 100

const SERVER = "require('node:http').createServer((_, response) => response.end()).listen(0, '127.0.0.1')"

interface Memory {
  readonly rss: number
  readonly pss: number
}

/** What the daemon and the gateway hold and do while nothing happens, beside a bare Node with an HTTP server. */
export async function memory(): Promise<readonly Row[]> {
  await using bare = startProgram(node, ['-e', SERVER])
  await using appliance = await createAppliance()
  await appliance.run('app', 'add', 'guestbook', join(root, 'examples/guestbook'), '--host', 'localhost')
  await using daemon = startProgram(caretaker, ['daemon'], { env: appliance.env })
  const gatewayPid = await until(async () => {
    const status = JSON.parse(await appliance.run('status', '--json')) as Status
    return status.state === 'running' && status.gateway.pid ? status.gateway.pid : undefined
  }, 200)
  // Long enough that what the start left behind is collected.
  await wait(IDLE_MS / 2)
  const before = await ticks(daemon.pid)
  await wait(IDLE_MS)
  const used = (await ticks(daemon.pid)) - before
  const [alone, gateway, plain] = [
    await memoryOf(daemon.pid),
    await memoryOf(gatewayPid),
    await memoryOf(bare.pid),
  ]
  const what = 'bare node with an HTTP server'
  return [
    row('daemon, resident (RSS)', alone.rss, { what, value: plain.rss }, GOAL_MB),
    row('daemon, its share (PSS)', alone.pss, { what, value: plain.pss }),
    row('gateway, resident (RSS)', gateway.rss, { what, value: plain.rss }),
    row('gateway, its share (PSS)', gateway.pss, { what, value: plain.pss }),
    row('daemon and gateway, their share (PSS)', alone.pss + gateway.pss, { what, value: plain.pss }),
    {
      what: 'daemon, CPU while idle',
      value: used / TICKS_PER_S / (IDLE_MS / 1000 / 100),
      unit: '%',
      goal: GOAL_CPU_PERCENT,
    },
  ]
}

interface Status {
  readonly state: string
  readonly gateway: { readonly pid: number | null }
}

function row(what: string, value: number, beside: NonNullable<Row['beside']>, goal?: number): Row {
  return { what, value, unit: 'MB', beside, ...(goal === undefined ? {} : { goal }) }
}

export async function memoryOf(pid: number): Promise<Memory> {
  const text = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8')
  const field = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1]) / 1024
  return { rss: field('Rss'), pss: field('Pss') }
}

/** User and system time so far, see proc_pid_stat(5). */
async function ticks(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8')
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return Number(fields[11]) + Number(fields[12])
}
