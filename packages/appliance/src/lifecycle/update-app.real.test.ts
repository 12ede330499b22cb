import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DAY_MS } from '@caretaker/kernel/time.ts'
import type { OperationEvent } from '@caretaker/steps/events.ts'
import { listOperations } from '@caretaker/steps/operations.ts'
import { afterEach, beforeEach, describe, expect, it, test } from 'vitest'
import { appFolders } from './app-files.ts'
import { readAppRecord } from './app-records.ts'
import { listUpdates } from './app-updates.ts'
import { listCloneNames } from './clone-records.ts'
import { returnFromCrashLoop } from './crash-loop-return.ts'
import { expireOfApps } from './expire.ts'
import { goOnWith } from './go-on.ts'
import { previewRollback, rollbackApp } from './rollback-app.ts'
import { showApp } from './show-app.ts'
import { showHistory } from './show-history.ts'
import { status } from './status.ts'
import type { Lab } from './testing/lab.fixture.ts'
import { openShop, shopSql } from './testing/shop.fixture.ts'
import type { TinyShape } from './testing/tiny-app.fixture.ts'
import { up } from './up.ts'
import { previewUpdate, updateApp } from './update-app.ts'

const never = new AbortController().signal
const quiet = () => undefined

let lab: Lab
beforeEach(async () => {
  lab = await openShop()
})
afterEach(() => lab[Symbol.asyncDispose]())

const appliance = async () => (await lab.open()).appliance
const sql = (text: string) => shopSql(lab, text)
const update = async (to?: string) =>
  updateApp(await lab.open(), { app: 'shop', to, noRehearsal: 'a test' }, quiet, never)
const back = async (more: object = {}) =>
  rollbackApp(await lab.open(), { app: 'shop', withData: false, confirm: undefined, ...more }, quiet, never)
const files = async () => JSON.parse((await lab.get('shop')).body).files
const record = async () => readAppRecord(lab.ports.files, join(lab.stateFolder, 'apps'), 'shop')
const snapshots = async () =>
  (await (await appliance()).storage.listSnapshots('shop')).map(({ name }) => name)
const services = async () =>
  (await (await appliance()).runtime.list())
    .filter(({ app }) => app === 'shop')
    .map(({ service, slot, state }) => `${service} ${slot} ${state}`)
    .toSorted()

describe('a release that migrates', () => {
  it('changes code and data together, and is written down', async () => {
    await lab.apps['shop']?.release('2')
    const shown = await previewUpdate(
      await lab.open(),
      { app: 'shop', to: undefined, noRehearsal: 'a test', build: true },
      quiet,
      never,
    )
    expect(shown.migrates).toBe(true)
    expect((await record()).releaseId).toMatch(/^1-/)
    const report = await update()
    expect(report).toMatchObject({ exit_code: 0, errors: [], from: '1', to: '2', migrates: true })
    const taken = report.operations.at(-1)?.steps.filter(({ state }) => state === 'applied')
    expect(taken?.map(({ id }) => id)).toEqual(
      shown.plan
        .at(-1)
        ?.steps.filter(({ state }) => state === 'take')
        .map(({ id }) => id),
    )
    expect(await files()).toEqual(['migrated', 'migrated-2'])
    expect(await sql('SELECT what FROM sale ORDER BY id')).toHaveLength(2)
    expect(await services()).toEqual(['postgres a running', 'web b running', 'worker b running'])
    const [snapshot, ...others] = await snapshots()
    expect([snapshot?.startsWith('pre-migrate-'), others]).toEqual([true, []])
    expect(await showHistory(await appliance(), 'shop')).toMatchObject({
      releases: [
        { kind: 'start', version: '1', from: null },
        { kind: 'update', version: '2', migrated: true, snapshot, user: 'tester' },
      ],
      tries: [],
    })
    expect(await update()).toMatchObject({ nothing_to_do: true, exit_code: 0 })
    expect(await status(await appliance(), process.pid)).toMatchObject({ state: 'running' })
    // Nothing is left to do: what runs is what "up" wants.
    const again = await up(await appliance(), { firstStart: false }, quiet, never)
    expect(again).toMatchObject({ nothing_to_do: true, errors: [] })
  })

  test.each([
    ['fails', 'migration-fails', 'MIGRATION_FAILED'],
    ['hangs', 'migration-hangs', 'MIGRATION_FAILED'],
    ['is followed by a release that is not healthy', 'unhealthy', 'SERVICE_UNHEALTHY'],
    ['is followed by a release that ends', 'exits', 'SERVICE_START_FAILED'],
    ['is followed by a smoke test that fails', 'smoke-fails', 'SMOKE_FAILED'],
  ] as const)(
    'when it %s: data and release are those of before, what it made is kept',
    async (_how, fault, code) => {
      const before = await files()
      await lab.apps['shop']?.release('2')
      await lab.apps['shop']?.breakFrom('2', fault)
      if (fault === 'unhealthy') lab.clock.speed = 4
      const report = await update()
      lab.clock.speed = 1
      expect(report).toMatchObject({ exit_code: 4, errors: [{ code }] })
      expect(await files()).toEqual(before)
      expect(await sql('SELECT what FROM sale ORDER BY id')).toEqual([{ what: 'one' }, { what: 'two' }])
      expect(await services()).toEqual(['postgres a running', 'web a running', 'worker a running'])
      const kept = await snapshots()
      expect(kept).toEqual([expect.stringMatching(/^failed-/)])
      expect((await record()).kept).toMatchObject([{ snapshot: kept[0], kind: 'failed' }])
      expect((await showApp(await appliance(), 'shop')).snapshots).toMatchObject([
        { name: kept[0], kept_until: (await record()).kept?.[0]?.until },
      ])
      expect((await record()).updating).toBeUndefined()
      const content = await (await appliance()).storage.snapshotPath('shop', kept[0] ?? '')
      const made = (await lab.ports.files.list(join(content, 'files', 'files'))) ?? []
      expect(made.map(({ name }) => name)).not.toContain('letter')
      expect(await lab.ports.files.list(join(lab.stateFolder, 'kept', 'shop', kept[0] ?? ''))).not.toEqual([])
      expect(await status(await appliance(), process.pid)).toMatchObject({ state: 'running' })
      expect(await showHistory(await appliance(), 'shop')).toMatchObject({
        releases: [{ version: '1' }],
        tries: [{ state: 'undone' }],
      })
      if (fault === 'migration-fails') {
        const log = join(lab.stateFolder, 'logs', 'shop', 'migrate.log')
        expect(report.errors[0]?.next).toContain(log)
        for (const path of [log, join(lab.stateFolder, 'kept', 'shop', kept[0] ?? '', 'migrate.log')])
          expect(await lab.ports.files.readText(path)).toMatch(
            /prices come first\ncolumn "price" exists.* ended with 1/s,
          )
      }
      await lab.apps['shop']?.break('none')
      expect(await update()).toMatchObject({ exit_code: 0 })
      expect(await files()).toEqual(['migrated', 'migrated-2'])
      if (fault !== 'migration-fails') return

      // Its time is over, and that of the way back too.
      expect(await expireOfApps(await appliance())).toEqual([])
      lab.clock.aheadMs = 8 * DAY_MS
      expect(await expireOfApps(await appliance())).toHaveLength(2)
      expect(await snapshots()).toEqual([])
      expect(await lab.ports.files.list(join(lab.stateFolder, 'kept', 'shop'))).toEqual([])
      await expect(back({ withData: true })).rejects.toMatchObject({
        code: 'UPDATE_REFUSED',
        why: expect.stringContaining('is not there any more'),
      })
    },
  )

  it('whose way back fails too ends with both reasons, nothing started and nothing deleted, and one command tries again', async () => {
    await lab.apps['shop']?.release('2')
    await lab.apps['shop']?.break('exits')
    const report = await update()
    expect(report).toMatchObject({ exit_code: 5 })
    expect(report.errors.map(({ code }) => code)).toEqual(['SERVICE_START_FAILED', 'SERVICE_START_FAILED'])
    expect((await (await appliance()).gateway.status()).apps.map(({ holding }) => holding)).toEqual([false])
    const page = await lab.get('shop')
    expect(page.status).toBe(503)
    const state = await status(await appliance(), process.pid)
    expect(state).toMatchObject({
      code: 'UPDATE_UNFINISHED',
      next: expect.stringContaining('operation undo'),
    })
    expect((await snapshots()).map((name) => name.split('-')[0])).toEqual(
      expect.arrayContaining(['failed', 'pre']),
    )
    // Neither a start nor another update touches data that may be half migrated.
    expect((await up(await appliance(), { firstStart: false }, quiet, never)).exit_code).toBe(5)
    await expect(update()).rejects.toMatchObject({ code: 'UPDATE_UNFINISHED' })

    await lab.apps['shop']?.break('none')
    const [operation] = await listOperations(lab.ports.files, lab.stateFolder)
    const found = (await listOperations(lab.ports.files, lab.stateFolder)).find(
      ({ name }) => name === 'update-shop',
    )
    expect(state.next).toContain(found?.operation ?? operation?.operation)
    const undone = await goOnWith(await appliance(), found?.operation ?? '', 'undo', quiet, never)
    expect(undone).toMatchObject({ outcome: 'undone' })
    expect(await status(await appliance(), process.pid)).toMatchObject({ state: 'running' })
    await up(await appliance(), { firstStart: false }, quiet, never)
    expect(await files()).toEqual(['letter', 'migrated'])
    expect(await status(await appliance(), process.pid)).toMatchObject({ state: 'running' })
    expect(await snapshots()).toEqual([expect.stringMatching(/^failed-/)])
  })
})

describe('the way back after it', () => {
  it('takes code and data together, after what would be lost was counted, and can be taken back too', async () => {
    await expect(back()).rejects.toMatchObject({
      code: 'UPDATE_REFUSED',
      why: expect.stringContaining('no release is known'),
    })
    await sql("CREATE TABLE note AS SELECT 'as written' AS message")
    await lab.apps['shop']?.release('2')
    expect(await update()).toMatchObject({ exit_code: 0 })
    await sql("INSERT INTO sale (what) VALUES ('three')")
    await sql("UPDATE note SET message = 'edited'")
    await lab.get('shop', '/newer', 'POST')
    await expect(back()).rejects.toMatchObject({
      code: 'UPDATE_REFUSED',
      next: expect.stringContaining('--with-data'),
    })
    await expect(back({ withData: true })).rejects.toMatchObject({
      code: 'DATA_LOSS_UNCONFIRMED',
      why: expect.stringContaining('public.sale: 3 rows now, 2 then'),
      next: expect.stringContaining('caretaker app rollback shop --with-data --confirm shop'),
    })
    expect(await files()).toEqual(['migrated', 'migrated-2', 'newer'])
    expect(await listCloneNames(lab.ports.files, lab.stateFolder)).toEqual([])

    const options = { app: 'shop', withData: true, confirm: 'shop' }
    const shown = await previewRollback(await lab.open(), options, never)
    expect(shown.loss?.tables).toContainEqual({ table: 'public.note', now: 1, before: 1 })
    const report = await back(options)
    expect(report).toMatchObject({ exit_code: 0, from: '2', to: '1' })
    expect(report.loss).toEqual(shown.loss)
    const taken = report.operations.at(-1)?.steps.filter(({ state }) => state === 'applied')
    // The release is whole, and of what is kept nothing is too old.
    const idle = ['shop/release.prepare', 'shop/snapshots.tidy']
    expect(taken?.map(({ id }) => id)).toEqual(
      shown.plan[0]?.steps.map(({ id }) => id).filter((id) => !idle.includes(id)),
    )
    expect(await files()).toEqual(['letter', 'migrated'])
    expect(await sql('SELECT what FROM sale ORDER BY id')).toHaveLength(2)
    expect((await snapshots()).some((name) => name.startsWith('before-rollback-'))).toBe(true)

    // A try of yet another release that fails makes nobody forget which one was left.
    await lab.apps['shop']?.release('3')
    await lab.apps['shop']?.breakFrom('3', 'migration-fails')
    expect(await update()).toMatchObject({ exit_code: 4 })
    await lab.apps['shop']?.release('2')
    await expect(update()).rejects.toMatchObject({
      code: 'UPDATE_REFUSED',
      why: expect.stringMatching(/^its source holds 2, which was taken back at .*: tester took it back$/),
      next: expect.stringContaining('caretaker app update shop --to 2'),
    })
    expect(await back(options)).toMatchObject({ exit_code: 0, from: '1', to: '2' })
    expect(await files()).toEqual(['migrated', 'migrated-2', 'newer'])
    expect(await sql('SELECT what FROM sale ORDER BY id')).toHaveLength(3)
    expect((await showHistory(await appliance(), 'shop')).releases.map(({ kind }) => kind)).toEqual([
      'start',
      'update',
      'rollback',
      'rollback',
    ])
  })

  it('that fails leaves the newer release with its data', async () => {
    await lab.apps['shop']?.release('2')
    expect(await update()).toMatchObject({ exit_code: 0 })
    await lab.get('shop', '/newer', 'POST')
    await lab.apps['shop']?.breakFrom('1', 'smoke-fails')
    expect(await back({ withData: true, confirm: 'shop' })).toMatchObject({
      exit_code: 4,
      errors: [{ code: 'SMOKE_FAILED' }],
    })
    expect(await files()).toEqual(['migrated', 'migrated-2', 'newer'])
    expect((await record()).releaseId).toMatch(/^2-/)
  })

  it('takes the code alone where nothing was migrated; a crash loop soon after the update does it by itself', async () => {
    const two: TinyShape = { database: true, smoke: true, worker: true }
    await lab.apps['shop']?.release('2', two)
    expect(await update()).toMatchObject({ exit_code: 0 })
    await lab.get('shop', '/newer', 'POST')
    const result = await returnFromCrashLoop(await lab.open(), 'shop', 'it is jammed', never)
    expect(result).toMatchObject({ outcome: 'done' })
    expect((await record()).releaseId).toMatch(/^1-/)
    expect(await files()).toEqual(['letter', 'migrated', 'newer'])
    const { releases } = await showHistory(await appliance(), 'shop')
    expect(releases.at(-1)).toMatchObject({ kind: 'rollback', why: 'it is jammed' })
    const [line] = (await status(await appliance(), process.pid)).apps
    expect(line?.notice).toMatch(/^2 was taken back by itself .*it is jammed/)
    // Nobody takes it again but a person.
    const [offered] = await listUpdates(await appliance(), never)
    expect(offered).toMatchObject({ state: 'refused', why: expect.stringContaining('it is jammed') })
    await expect(update()).rejects.toMatchObject({
      code: 'UPDATE_REFUSED',
      why: expect.stringContaining('it is jammed'),
      next: expect.stringContaining('caretaker app update shop --to 2'),
    })
    // What went back is not watched, and what is watched no more is left alone.
    expect(await returnFromCrashLoop(await lab.open(), 'shop', 'it is jammed', never)).toBeUndefined()
    expect(await back()).toMatchObject({ exit_code: 0, from: '1', to: '2' })
    expect((await status(await appliance(), process.pid)).apps).toMatchObject([{ notice: null }])
  })
})

describe('a release that migrates nothing', () => {
  const TWO: TinyShape = { database: true, smoke: true, worker: true }

  it('takes over while requests go on, and none of them fails', async () => {
    const load = constantLoad()
    await lab.apps['shop']?.release('2', TWO)
    expect(await update()).toMatchObject({ exit_code: 0, migrates: false })
    await lab.apps['shop']?.release('3', TWO)
    expect(await update()).toMatchObject({ exit_code: 0, migrates: false })
    const { statuses } = await load.stop()
    expect([...new Set(statuses)]).toEqual([200])
    expect(statuses.length).toBeGreaterThan(10)
    expect(await services()).toEqual(['postgres a running', 'web a running', 'worker a running'])
    expect(await files()).toEqual(['letter', 'migrated'])
    expect(await snapshots()).toEqual([])
  })

  it('is asked anew on the data of now, and once more before it serves', async () => {
    const old: TinyShape = { database: true, migrates: 'old', smoke: true, worker: true }
    await lab.apps['shop']?.release('2', old)
    const options = { app: 'shop', to: undefined, noRehearsal: 'a test' }
    const shown = await previewUpdate(await lab.open(), { ...options, build: true }, quiet, never)
    expect(shown.migrates).toBe(false)
    await lab.get('shop', '/old', 'POST')
    expect(await update()).toMatchObject({ exit_code: 0, migrates: true, to: '2' })
    expect(await files()).toEqual(['letter', 'migrated'])

    await lab.apps['shop']?.release('3', old)
    const folder = join(appFolders(await appliance(), 'shop').unit, 'files', 'files')
    const late = (event: OperationEvent) => {
      if (event.type === 'step-started' && event.step.endsWith('release.prove'))
        writeFileSync(join(folder, 'old'), 'kept')
    }
    expect(await updateApp(await lab.open(), options, late, never)).toMatchObject({
      exit_code: 4,
      migrates: false,
      errors: [{ code: 'UPDATE_REFUSED', why: expect.stringContaining('has by now') }],
    })
    expect((await record()).releaseId).toMatch(/^2-/)
    expect(await update()).toMatchObject({ exit_code: 0, migrates: true, to: '3' })
    expect(await files()).toEqual(['letter', 'migrated'])
  })

  test.each(['unhealthy', 'smoke-fails', 'worker-exits'] as const)(
    'that turns out bad (%s) never serves anybody',
    async (fault) => {
      await lab.apps['shop']?.release('2', TWO)
      await lab.apps['shop']?.breakFrom('2', fault)
      if (fault === 'unhealthy') lab.clock.speed = 4
      const load = constantLoad()
      expect(await update()).toMatchObject({ exit_code: 4 })
      expect([...new Set((await load.stop()).statuses)]).toEqual([200])
      expect(await services()).toEqual(['postgres a running', 'web a running', 'worker a running'])
      expect(await listUpdates(await appliance(), never)).toMatchObject([
        { state: 'refused', why: expect.stringContaining('its update was taken back: ') },
      ])
    },
  )
})

/** One request after the other until it is stopped. */
function constantLoad() {
  const statuses: number[] = []
  let isOver = false
  const running = (async () => {
    while (!isOver) statuses.push((await lab.get('shop')).status)
  })()
  // Of a test that failed nobody waits for it any more.
  running.catch(() => undefined)
  return {
    async stop() {
      isOver = true
      await running
      return { statuses }
    },
  }
}
