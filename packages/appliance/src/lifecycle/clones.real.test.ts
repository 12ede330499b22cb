import { DAY_MS, HOUR_MS } from '@caretaker/kernel/time.ts'
import type { DatabaseAddress } from '@caretaker/ports/database.ts'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { listJobs } from '../jobs/known-jobs.ts'
import { JobLane } from '../jobs/lane.ts'
import { adminAddress, databaseAddress } from './app-database.ts'
import { listAppRecords, readAppRecord } from './app-records.ts'
import { removeApp, restartApp } from './apps.ts'
import { askMigrates } from './ask-migrates.ts'
import {
  cloneApp,
  cloneInput,
  extendClone,
  previewClone,
  removeCloneNow,
  reportClones,
  type WantedClone,
} from './clones.ts'
import { UpKeeper } from './keep-up.ts'
import { withGuests } from './lock-guests.ts'
import { status } from './status.ts'
import { cloneCreate } from './steps/clone-create.ts'
import { cloneRemove } from './steps/clone-remove.ts'
import { type Lab, openLab } from './testing/lab.fixture.ts'
import { up } from './up.ts'

const never = new AbortController().signal
const quiet = () => undefined
const context = { signal: never, progress: quiet }
const wanted: WantedClone = { app: 'shop', name: undefined, ttlMs: 3 * DAY_MS, allowOutside: true }

let lab: Lab
beforeAll(async () => {
  lab = await openLab({
    shop: { database: true, migrates: true, smoke: true, scrub: "UPDATE visitor SET name = 'somebody'" },
  })
  await up((await lab.open()).appliance, { firstStart: false }, quiet, never)
  const shop = await databaseAddress((await lab.open()).appliance, 'shop')
  await query(shop, 'CREATE TABLE visitor (id int PRIMARY KEY, name text)')
  await query(shop, "INSERT INTO visitor VALUES (1, 'Ada Lovelace')")
  await lab.get('shop', '/letter', 'POST')
}, 300_000)
afterAll(() => lab[Symbol.asyncDispose]())

const query = (address: DatabaseAddress, text: string) =>
  lab.ports.databases.withSession(address, { timeoutMs: 60_000 }, (session) =>
    session.query<Record<string, unknown>>(text),
  )
const appliance = async () => (await lab.open()).appliance
const clone = async (more: Partial<WantedClone> = {}) =>
  cloneApp(await appliance(), { ...wanted, ...more }, quiet, never)

it('clones an application, as shown: its data, another greeting, its own host and passwords', async () => {
  const [shown] = await previewClone(await appliance(), wanted, never)
  const report = await clone()
  expect(report).toMatchObject({ exit_code: 0, errors: [], clone: { clone: 'shop-clone-1', state: 'ready' } })
  const taken = report.operations[0]?.steps.filter(({ state }) => state === 'applied').map(({ id }) => id)
  expect(taken).toEqual(shown?.steps.filter(({ state }) => state === 'take').map(({ id }) => id))

  const origin = JSON.parse((await lab.get('shop')).body)
  const copy = JSON.parse((await lab.get('shop-clone-1')).body)
  expect(origin).toMatchObject({ greeting: 'hello', files: ['letter', 'migrated'] })
  expect(copy).toMatchObject({ greeting: 'copy', files: ['letter', 'migrated'] })
  expect(copy.database).not.toBe(origin.database)
  expect(await status(await appliance(), process.pid)).toMatchObject({ state: 'running', parts: [] })
})

it('is served on while who was there before it looks after the services', async () => {
  const before = await appliance()
  await clone({ name: 'trial' })
  await lab.kill('web')
  const tended = await withGuests(lab.stateFolder, () => new UpKeeper().tend(before, never))
  expect(tended).toMatchObject([{ app: 'shop', service: 'web', did: 'started it again' }])
  expect((await lab.get('trial')).status).toBe(200)
  expect(await removeCloneNow(await appliance(), 'trial', quiet, never)).toMatchObject({ exit_code: 0 })
})

it('clears what the scrub SQL names in the clone, and nothing in the origin', async () => {
  const names = async (app: string) =>
    (await query(await databaseAddress(await appliance(), app), 'SELECT name FROM visitor')).map(
      ({ name }) => name,
    )
  expect(await names('shop-clone-1')).toEqual(['somebody'])
  expect(await names('shop')).toEqual(['Ada Lovelace'])
})

it('opens with no password of its origin', async () => {
  const here = await appliance()
  const { password } = await databaseAddress(here, 'shop')
  const admin = await adminAddress(here, 'shop')
  const copy = await databaseAddress(here, 'shop-clone-1')
  await expect(query({ ...copy, password }, 'SELECT 1')).rejects.toMatchObject({ sqlState: '28P01' })
  const other = { ...(await adminAddress(here, 'shop-clone-1')), password: admin.password }
  await expect(query(other, 'SELECT 1')).rejects.toMatchObject({ sqlState: '28P01' })
})

it('is an application for up, restart and a second clone', async () => {
  expect(await up(await appliance(), { firstStart: false }, quiet, never)).toMatchObject({
    nothing_to_do: true,
  })
  expect(await restartApp(await lab.open(), 'shop-clone-1', quiet, never)).toMatchObject({ exit_code: 0 })
  expect((await lab.get('shop-clone-1')).status).toBe(200)
  const second = await clone()
  expect(second.clone?.clone).toBe('shop-clone-2')
  await lab.get('shop-clone-2', '/other', 'POST')
  expect(JSON.parse((await lab.get('shop-clone-1')).body).files).toEqual(['letter', 'migrated'])
})

it('goes and leaves nothing; its origin keeps everything', async () => {
  await removeCloneNow(await appliance(), 'shop-clone-2', quiet, never)
  const here = await appliance()
  expect(await here.storage.listUnits()).toEqual(['shop', 'shop-clone-1'])
  const records = await listAppRecords(lab.ports.files, here.folders.apps)
  expect(records.toSorted()).toEqual(['shop', 'shop-clone-1'])
  expect((await here.runtime.list()).filter(({ app }) => app === 'shop-clone-2')).toEqual([])
  expect(await here.secrets.find('shop-clone-2/database')).toBeUndefined()
  expect((await lab.getUnverified('shop-clone-2')).status).toBe(421)
  expect((await lab.get('shop')).status).toBe(200)
  expect((await reportClones(here)).map((line) => line.clone)).toEqual(['shop-clone-1'])
})

it('lives as long as it was given, from then on', async () => {
  const before = (await reportClones(await appliance()))[0]?.expires_at ?? ''
  const { expires_at } = await extendClone(await appliance(), 'shop-clone-1', 30 * DAY_MS)
  expect(Date.parse(expires_at) - Date.parse(before)).toBeGreaterThan(27 * DAY_MS - HOUR_MS)
  await expect(extendClone(await appliance(), 'none', DAY_MS)).rejects.toMatchObject({
    code: 'CLONE_UNKNOWN',
  })
})

it('is refused for a clone, and under a name that is taken; nothing changes', async () => {
  const operations = await lab.operations()
  await expect(clone({ app: 'shop-clone-1' })).rejects.toMatchObject({ code: 'CLONE_REFUSED' })
  await expect(clone({ name: 'shop' })).rejects.toMatchObject({ code: 'APP_EXISTS' })
  await expect(clone({ name: 'mail-shop-clone-1' })).rejects.toMatchObject({ code: 'APP_EXISTS' })
  await expect(clone({ name: '../x' })).rejects.toMatchObject({ code: 'NAME_INVALID' })
  await expect(clone({ app: 'other' })).rejects.toMatchObject({ code: 'APP_UNKNOWN' })
  expect(await lab.operations()).toEqual(operations)
})

it('that does not start is taken back whole, and says why', async () => {
  await lab.apps['shop']?.break('smoke-fails')
  const report = await clone({ name: 'broken' })
  await lab.apps['shop']?.break('none')
  expect(report).toMatchObject({ exit_code: 4, clone: null, errors: [{ code: 'SMOKE_FAILED' }] })
  const here = await appliance()
  expect(await here.storage.hasUnit('broken')).toBe(false)
  expect((await here.runtime.list()).filter(({ app }) => app === 'broken')).toEqual([])
  expect(await status(here, process.pid)).toMatchObject({ state: 'running', parts: [] })
})

it('with scrub SQL that fails never starts', async () => {
  const shop = await databaseAddress(await appliance(), 'shop')
  await query(shop, 'ALTER TABLE visitor RENAME TO guest')
  const report = await clone({ name: 'broken' })
  await query(shop, 'ALTER TABLE guest RENAME TO visitor')
  expect(report).toMatchObject({ exit_code: 4, errors: [{ code: 'CLONE_SCRUB_FAILED' }] })
  expect(report.errors[0]?.why).toContain('relation "visitor" does not exist')
  expect(await (await appliance()).storage.hasUnit('broken')).toBe(false)
})

it('tells on a clone whether a release migrates, starting nothing but its Postgres', async () => {
  const here = await appliance()
  const input = await cloneInput(here, { ...wanted, name: 'asked' }, 'ask')
  await cloneCreate(here).apply(input, null, context)
  expect(await askMigrates(here, 'asked', input.releaseId, context)).toBe(false)
  const { files } = lab.ports
  expect(
    (await here.runtime.list()).filter(({ app }) => app === 'asked').map(({ service }) => service),
  ).toEqual(['postgres'])
  await files.remove(`${here.storage.unitPath('asked')}/files/files/migrated`)
  expect(await askMigrates(here, 'asked', input.releaseId, context)).toBe(true)
  expect((await readAppRecord(files, here.folders.apps, 'shop')).asked).toMatchObject({ migrates: true })
  await cloneRemove(here).apply({ clone: 'asked' }, null, context)
  expect(here.config.applications['asked']).toBeUndefined()
  expect(await here.storage.hasUnit('asked')).toBe(false)
})

it('ends by itself when its time is over, also when the machine was off then', async () => {
  await clone({ name: 'short', ttlMs: HOUR_MS })
  const lane = new JobLane({ ended: async () => undefined, failed: async () => undefined })
  const lookAtJobs = async () => {
    const here = await appliance()
    await lane.tick(
      here,
      (await listJobs(here)).filter(({ name }) => name === 'expiry'),
      never,
    )
    await lane.idle()
    return (await reportClones(await appliance())).map((line) => line.clone)
  }
  expect(await lookAtJobs()).toContain('short')
  lab.clock.aheadMs += DAY_MS
  await up(await appliance(), { firstStart: false }, quiet, never)
  lab.clock.speed = 100
  await expect.poll(lookAtJobs, { timeout: 60_000 }).toEqual(['shop-clone-1'])
  lab.clock.speed = 1
  expect(await (await appliance()).storage.hasUnit('short')).toBe(false)
  expect((await lab.getUnverified('short')).status).toBe(421)
})

it('stays while its origin is there, which cannot go before it', async () => {
  await expect(
    removeApp(await lab.open(), { name: 'shop', data: false, confirm: undefined }, quiet, never),
  ).rejects.toMatchObject({ code: 'CLONE_REFUSED' })
  expect((await lab.get('shop-clone-1')).status).toBe(200)
})
