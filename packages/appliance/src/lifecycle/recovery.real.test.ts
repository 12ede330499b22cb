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

/** The process of the server that writes its log ahead; undefined while it is starting. */
async function walWriter(): Promise<number | undefined> {
  const pid = await postmaster()
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').map(Number)
  return children.find((child) => {
    try {
      return readFileSync(`/proc/${child}/cmdline`, 'utf8').includes('walwriter')
    } catch {
      return false // It has just ended.
    }
  })
}

/**
 * Kills a part of the server, which makes the whole of it recover, and returns when it has noticed. One that has recovered
 * before anybody looked is killed again.
 */
async function breakServer(): Promise<void> {
  const address = await adminAddress(appliance, 'shop')
  for (;;) {
    const killed = await walWriter()
    if (killed === undefined) continue
    process.kill(killed, 'SIGKILL')
    do if ((await checkPostgres(appliance.ports.databases, address)).state === 'starting') return
    while ([killed, undefined].includes(await walWriter()))
  }
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
