import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { createAppliance, statusOf } from './appliance.ts'
import { load } from './load.ts'
import { caretaker, hasCaddy, node, root, startProgram, until } from './programs.ts'
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

/**
 * What the control plane holds and does while nothing happens, beside a bare Node with an HTTP server; what the gateway
 * holds after many requests; and all of it again with Caddy in front, where Caddy is installed.
 */
export async function memory(): Promise<readonly Row[]> {
  await using bare = startProgram(node, ['-e', SERVER])
  await using appliance = await createAppliance()
  await appliance.run('app', 'add', 'guestbook', join(root, 'examples/guestbook'), '--host', 'localhost')
  await using daemon = startProgram(caretaker, ['daemon'], { env: appliance.env })
  const pids = await until(async () => {
    const status = JSON.parse(await appliance.run('status', '--json')) as Status
    return status.state === 'running' && status.gateway.pid ? status.gateway.pid : undefined
  }, 200).then((gateway) => ({ daemon: daemon.pid, gateway }))
  // Long enough that what the start left behind is collected.
  await wait(IDLE_MS / 2)
  const before = await ticks(daemon.pid)
  await wait(IDLE_MS)
  const used = (await ticks(daemon.pid)) - before
  const idle = await memoryOfAll(pids)
  const plain = await memoryOf(bare.pid)
  await load(`https://127.0.0.1:${appliance.httpsPort}/entries.json`, 'localhost')
  await wait(IDLE_MS / 2)
  const busy = await memoryOfAll(pids)
  const what = 'bare node with an HTTP server'
  return [
    row('daemon, resident (RSS)', idle.daemon.rss, { what, value: plain.rss }, GOAL_MB),
    row('daemon, its share (PSS)', idle.daemon.pss, { what, value: plain.pss }),
    row('gateway, resident (RSS)', idle.gateway.rss, { what, value: plain.rss }),
    row('gateway, its share (PSS)', idle.gateway.pss, { what, value: plain.pss }),
    row('control plane, resident (RSS)', idle.all.rss, { what, value: plain.rss }, GOAL_MB),
    row('control plane, its share (PSS)', idle.all.pss, { what, value: plain.pss }, GOAL_MB),
    ...besideIdle('embedded, 10 s after load', busy, idle),
    {
      what: 'daemon, CPU while idle',
      value: used / TICKS_PER_S / (IDLE_MS / 1000 / 100),
      unit: '%',
      goal: GOAL_CPU_PERCENT,
    },
    ...(await withCaddy()),
  ]
}

/** Daemon, gateway and Caddy, idle and after load. */
async function withCaddy(): Promise<readonly Row[]> {
  if (!(await hasCaddy())) return []
  await using appliance = await createAppliance()
  const configFile = join(appliance.state, 'appliance.yml')
  const config = await readFile(configFile, 'utf8')
  await writeFile(configFile, config.replace('engine: embedded', 'engine: caddy'))
  await appliance.run('app', 'add', 'guestbook', join(root, 'examples/guestbook'), '--host', 'localhost')
  await using daemon = startProgram(caretaker, ['daemon'], { env: appliance.env })
  await until(async () => (await statusOf(appliance.httpsPort, '/entries.json')) === 200 || undefined, 200)
  const pids = {
    daemon: daemon.pid,
    gateway: await pidOf(appliance.state, 'gateway'),
    caddy: await pidOf(appliance.state, 'caddy'),
  }
  await wait(IDLE_MS / 2)
  const idle = await memoryOfAll(pids)
  await load(`https://127.0.0.1:${appliance.httpsPort}/entries.json`, 'localhost')
  await wait(IDLE_MS / 2)
  const busy = await memoryOfAll(pids)
  const { rss, pss } = idle.caddy
  return [
    { what: 'Caddy, resident (RSS)', value: rss, unit: 'MB' },
    { what: 'Caddy, its share (PSS)', value: pss, unit: 'MB' },
    { what: 'with Caddy, control plane, resident (RSS)', value: idle.all.rss, unit: 'MB' },
    { what: 'with Caddy, control plane, its share (PSS)', value: idle.all.pss, unit: 'MB' },
    ...besideIdle('with Caddy, 10 s after load', busy, idle),
    {
      what: 'with Caddy, 10 s after load, Caddy (RSS)',
      value: busy.caddy.rss,
      unit: 'MB',
      beside: { what: 'idle', value: rss },
    },
  ]
}

type Memories<Names extends string> = Readonly<Record<Names | 'all', Memory>>

/** Of each process, and their sum. */
async function memoryOfAll<Names extends string>(
  pids: Readonly<Record<Names, number>>,
): Promise<Memories<Names>> {
  const found: Record<string, Memory> = {}
  for (const [name, pid] of Object.entries<number>(pids)) found[name] = await memoryOf(pid)
  const sum = (key: keyof Memory) => Object.values(found).reduce((total, memory) => total + memory[key], 0)
  return { ...found, all: { rss: sum('rss'), pss: sum('pss') } } as Memories<Names>
}

function besideIdle(name: string, busy: Memories<'gateway'>, idle: Memories<'gateway'>): readonly Row[] {
  const beside = (value: number) => ({ what: 'idle', value })
  return [
    row(`${name}, gateway (RSS)`, busy.gateway.rss, beside(idle.gateway.rss)),
    row(`${name}, control plane (RSS)`, busy.all.rss, beside(idle.all.rss)),
    row(`${name}, control plane (PSS)`, busy.all.pss, beside(idle.all.pss)),
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

/** The process of a service of the appliance itself. */
export async function pidOf(state: string, service: string): Promise<number> {
  const record = await readFile(join(state, 'processes', `-.${service}.json`), 'utf8')
  return (JSON.parse(record) as { identity: { pid: number } }).identity.pid
}

/** User and system time so far, see proc_pid_stat(5). */
async function ticks(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8')
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return Number(fields[11]) + Number(fields[12])
}
