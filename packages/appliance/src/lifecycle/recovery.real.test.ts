import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { checkPostgres } from '../database/health.ts'
import { adminAddress, POSTGRES_SERVICE, startDatabase } from './app-database.ts'
import type { Appliance } from './appliance.ts'
import { type Lab, openLab } from './testing/lab.fixture.ts'
import { up } from './up.ts'

const never = new AbortController().signal

let lab: Lab
let appliance: Appliance
beforeAll(async () => {
  lab = await openLab({ shop: { database: true } })
  appliance = (await lab.open()).appliance
  expect((await up(appliance, { firstStart: false }, () => undefined, never)).errors).toEqual([])
})
afterAll(() => lab[Symbol.asyncDispose]())

const postmaster = async () => {
  const pid = (await appliance.runtime.status('shop', POSTGRES_SERVICE))?.identity?.pid
  if (pid === undefined) throw new Error('Postgres does not run')
  return pid
}

/** Kills a part of the server, which makes the whole of it recover, and returns when it has noticed. */
async function breakServer(): Promise<void> {
  const pid = await postmaster()
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').map(Number)
  const isWriter = (child: number) => readFileSync(`/proc/${child}/cmdline`, 'utf8').includes('walwriter')
  process.kill(children.find(isWriter) ?? Number.NaN, 'SIGKILL')
  const address = await adminAddress(appliance, 'shop')
  while ((await checkPostgres(appliance.ports.databases, address)).state !== 'starting');
}

it.each([
  ['a start', () => startDatabase(appliance, 'shop', never)],
  ['up', async () => void (await up(appliance, { firstStart: false }, () => undefined, never))],
])('%s waits for a Postgres that recovers, and does not stop it', async (_name, start) => {
  const before = await postmaster()
  await breakServer()
  await start()
  expect(await postmaster()).toBe(before)
  const address = await adminAddress(appliance, 'shop')
  expect(await checkPostgres(appliance.ports.databases, address)).toEqual({ state: 'ready' })
  expect((await lab.get('shop')).status).toBe(200)
})
