import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestEngine } from '@caretaker/appliance/runtime/docker/testing/engine.fixture.ts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type DaemonProcess, ROOT, type StatusDocument, type TestAppliance } from '../support/appliance.ts'
import { entriesOf, signOver, unique } from '../support/guestbook-https.ts'
import { eventually } from '../support/observe.ts'
import { configure, dockerAppliance, engineWithImages } from './docker-appliance.ts'

let engine: TestEngine
let appliance: TestAppliance
let daemon: DaemonProcess
beforeAll(async () => {
  engine = await engineWithImages()
  appliance = await dockerAppliance(engine)
  await appliance.ok('app', 'add', 'guestbook', join(ROOT, 'examples/guestbook'), '--host', 'localhost')
  daemon = await appliance.daemon()
  // Before that it holds the lock for its own start.
  await eventually('the daemon has looked at everything', async () => {
    const log = await readFile(join(appliance.state, 'logs/appliance/daemon.log'), 'utf8')
    return log.includes('the appliance is up')
  })
})
afterAll(async () => {
  await appliance?.[Symbol.asyncDispose]()
  await engine?.[Symbol.asyncDispose]()
})

async function sign(): Promise<string> {
  const message = unique('kept')
  const reply = await signOver(appliance, { name: 'Ada', message }, { name: 'a.txt', bytes: message })
  expect(reply.status).toBe(303)
  return message
}
const messages = async () => (await entriesOf(appliance)).map((entry) => entry.message)
const containers = () => engine.run('ps', '-aq').split('\n').filter(Boolean)

/** Servers, whoever started them and wherever, that work in the data folder of guestbook. */
function servers(): readonly string[] {
  const lock = join(appliance.state, 'data/units/guestbook/current/postgres/PG_VERSION')
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid) || !isServer(pid)) return false
    return spawnSync('test', [`/proc/${pid}/cwd/PG_VERSION`, '-ef', lock]).status === 0
  })
}

/** The first process of a server: its parent is none. */
function isServer(pid: string): boolean {
  const read = (path: string) => {
    try {
      return readFileSync(path, 'utf8')
    } catch {
      return '' // It has just ended.
    }
  }
  if (read(`/proc/${pid}/comm`).trim() !== 'postgres') return false
  const parent = /^PPid:\s+(\d+)$/m.exec(read(`/proc/${pid}/status`))?.[1]
  return parent !== undefined && read(`/proc/${parent}/comm`).trim() !== 'postgres'
}

const services = async () =>
  (await appliance.json<StatusDocument>('status')).apps[0]?.services.map(
    ({ service, state }) => `${service} ${state}`,
  )
const ALL = ['postgres running', 'web running', 'worker running']

test.each(['process', 'docker'])(
  'changed to %s while it runs: what ran before makes room first, and one Postgres has the data',
  async (runtime) => {
    const message = runtime === 'process' ? await sign() : (await messages())[0]
    await configure(appliance, { runtime })
    await appliance.ok('up')
    expect(await services()).toEqual(ALL)
    expect(servers()).toHaveLength(1)
    expect(containers()).toHaveLength(runtime === 'process' ? 0 : 3)
    expect(await messages()).toContain(message)
    // What a Postgres of another test leaves behind when it is killed is gone in a moment.
    await eventually('nothing is wrong', async () => {
      const { stdout } = await appliance.run('doctor')
      if (/CONFIG_NOT_APPLIED|LEFTOVER|POSTGRES_/.test(stdout)) throw new Error(stdout)
      return true
    })
    expect((await appliance.ok('up')).stdout).toMatch(/nothing/i)
  },
)

test('changed and stopped: "down" stops what runs from before the change', async () => {
  await configure(appliance, { runtime: 'process' })
  await appliance.ok('down')
  expect(containers()).toEqual([])
  expect(servers()).toEqual([])
  await configure(appliance, { runtime: 'docker' })
  await appliance.ok('up')
})

test('changed while the engine is away: no Postgres is started that it could not know of', async () => {
  await daemon.stop()
  await appliance.ok('up')
  await engine.kill('dockerd')
  const before = servers()
  expect(before).toHaveLength(1)
  await configure(appliance, { runtime: 'process' })
  const refused = await appliance.run('up')
  expect(refused.code).not.toBe(0)
  expect(refused.stderr).toContain('ENGINE_UNREACHABLE')
  expect(servers()).toEqual(before)
  await engine.restart()
  await appliance.ok('up')
  expect(servers()).toHaveLength(1)
  expect(containers()).toEqual([])
  expect(existsSync(join(appliance.state, 'data/units/guestbook/current/postgres/PG_VERSION'))).toBe(true)
})
