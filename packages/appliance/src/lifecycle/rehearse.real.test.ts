import { join } from 'node:path'
import { DAY_MS } from '@caretaker/kernel/time.ts'
import type { EmitEvent } from '@caretaker/steps/events.ts'
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest'
import { readAppRecord } from './app-records.ts'
import { reportClones } from './clones.ts'
import { readRehearsals } from './rehearsals.ts'
import { previewRehearsal, rehearseApp } from './rehearse.ts'
import { readHistory as readReleases } from './release-history.ts'
import type { Lab } from './testing/lab.fixture.ts'
import { openShop, SHOP, shopSql } from './testing/shop.fixture.ts'
import type { TinyFault, TinyShape } from './testing/tiny-app.fixture.ts'
import { previewUpdate, type UpdateOptions, updateApp } from './update-app.ts'

const never = new AbortController().signal
const quiet = () => undefined
const TWO: TinyShape = { ...SHOP, acceptance: true, scrub: "UPDATE sale SET what = 'something'" }

let lab: Lab
beforeAll(async () => {
  lab = await openShop()
})
afterAll(() => lab[Symbol.asyncDispose]())

const appliance = async () => (await lab.open()).appliance
const sql = (text: string) => shopSql(lab, text)
const wish = { app: 'shop', to: undefined, allowOutside: false, watchMs: 1000 }
const rehearse = async (more: Partial<typeof wish> = {}, emit: EmitEvent = quiet) =>
  rehearseApp(await lab.open(), { ...wish, ...more }, emit, never)
/** The wait for a web service that is never healthy is shortened, and no other. */
const hurried: EmitEvent = (event) => {
  const isWeb = event.type === 'step-started' && event.step.endsWith('.web/service.start')
  if (event.type !== 'step-progress') lab.clock.speed = isWeb ? 4 : 1
}
const update = async (more: Partial<UpdateOptions> = {}) =>
  updateApp(
    await lab.open(),
    { app: 'shop', to: undefined, noRehearsal: undefined, watchMs: 1000, ...more },
    quiet,
    never,
  )

/** Everything of production that a rehearsal must leave alone. */
async function production() {
  const here = await appliance()
  const known = await here.runtime.list()
  const { asked: _, ...record } = await readAppRecord(lab.ports.files, here.folders.apps, 'shop')
  return {
    record,
    page: await lab.get('shop'),
    rows: await sql('SELECT * FROM sale ORDER BY id'),
    services: known.map(({ app, service, identity }) => ({ app, service, identity })),
    units: await here.storage.listUnits(),
    snapshots: await here.storage.listSnapshots('shop'),
    clones: await reportClones(here),
  }
}

describe('a bad release is found out, and nothing of production changes', () => {
  const BAD: readonly (readonly [TinyFault, string, string])[] = [
    ['migration-fails-on-letter', 'rehearsal.migrate', 'duplicate key: letter'],
    ['migration-hangs', 'rehearsal.migrate', 'did not end in its time'],
    ['migration-killed', 'rehearsal.migrate', 'SIGKILL'],
    ['acceptance-fails', 'rehearsal.accept', 'the price tag is gone'],
    ['unhealthy', 'service.start', 'no stock'],
    ['unhealthy-later', 'rehearsal.watch', 'no stock'],
  ]
  test.each(BAD)(
    '%s: at %s',
    async (fault, kind, why) => {
      await lab.apps['shop']?.release('2', { ...TWO, fault })
      const before = await production()
      const watchMs = fault === 'unhealthy-later' ? 60_000 : 1000
      const report = await rehearse({ watchMs }, fault === 'unhealthy' ? hurried : quiet)
      expect(report).toMatchObject({ exit_code: 1, rehearsal: { verdict: 'bad' }, update_ready: null })
      expect(report.rehearsal?.failed?.step.split('/')[1]).toBe(kind)
      expect(report.errors[0]).toMatchObject({ code: 'REHEARSAL_FAILED', why: expect.stringContaining(why) })
      expect(report.errors[0]?.next).toContain('--no-rehearsal')
      expect(report.errors[1]?.next).toContain(report.logs)
      if (kind === 'rehearsal.migrate')
        expect(await lab.ports.files.readText(join(report.logs ?? '', 'migrate.log'))).toContain('--- ')
      expect(await production()).toEqual(before)
      const verdicts = await readRehearsals(lab.ports.files, lab.stateFolder, 'shop')
      expect(verdicts.at(-1)).toEqual(report.rehearsal)
      expect(await lab.ports.files.readText(join(report.logs ?? '', 'steps.txt'))).toContain(why)
    },
    300_000,
  )

  it('an extension that this Postgres has not: at database.create', async () => {
    await lab.apps['shop']?.release('2', { ...TWO, extension: 'flux_capacitor' })
    const before = await production()
    const report = await rehearse()
    expect(report).toMatchObject({ exit_code: 1, update_ready: null })
    expect(report.rehearsal?.failed?.step).toMatch(/database.create$/)
    expect(report.errors[0]?.why).toContain('flux_capacitor')
    expect(await production()).toEqual(before)
  }, 300_000)

  it('by its update, which is refused', async () => {
    await lab.apps['shop']?.release('2', { ...TWO, fault: 'smoke-fails' })
    const before = await production()
    expect(await update()).toMatchObject({
      exit_code: 1,
      rehearsal: { verdict: 'bad' },
      errors: [{ code: 'REHEARSAL_FAILED' }, { code: 'SMOKE_FAILED' }],
    })
    expect(await production()).toEqual(before)
  }, 300_000)
})

it('without a way to isolate the clone nothing is rehearsed unless somebody allows it', async () => {
  await lab.apps['shop']?.release('1.9', TWO)
  const opened = await lab.open()
  const { processes } = opened.appliance.ports
  const refusing: typeof processes = {
    ...processes,
    run: async (command) =>
      command.args.includes('/bin/true')
        ? {
            exitCode: 1,
            signal: undefined,
            timedOut: false,
            stdout: '',
            stderr: 'no namespaces here',
            durationMs: 1,
          }
        : processes.run(command),
  }
  const here = { ...opened.appliance, ports: { ...opened.appliance.ports, processes: refusing } }
  const before = await production()
  await expect(rehearseApp({ ...opened, appliance: here }, wish, quiet, never)).rejects.toMatchObject({
    code: 'CLONE_NOT_ISOLATED',
    exitCode: 10,
    next: expect.stringContaining('--no-rehearsal'),
  })
  expect(await production()).toEqual(before)
  const allowed = await rehearseApp(
    { ...opened, appliance: here },
    { ...wish, allowOutside: true },
    quiet,
    never,
  )
  expect(allowed).toMatchObject({ exit_code: 0, rehearsal: { verdict: 'good', isolated: false } })
}, 300_000)

describe('a good release', () => {
  it('is tried whole on a clone, as shown; production is left alone; the update goes on without another try', async () => {
    await lab.apps['shop']?.release('2', TWO)
    const before = await production()
    const [shown] = await previewRehearsal(await lab.open(), wish, never)
    const report = await rehearse()
    expect(report).toMatchObject({ exit_code: 0, errors: [], from: '1', to: '2' })
    const { rehearsal } = report
    expect(rehearsal).toMatchObject({ verdict: 'good', migrates: true, isolated: true, failed: null })
    expect(report.update_ready).toMatchObject({ from: before.record.releaseId, to: rehearsal?.to })
    expect(rehearsal?.steps.map(({ step }) => step)).toEqual(
      shown?.steps.filter(({ state }) => state === 'take').map(({ id }) => id),
    )
    expect(rehearsal?.steps.map(({ step }) => step.split('/')[1])).toEqual(
      expect.arrayContaining(['rehearsal.migrate', 'clone.scrub', 'rehearsal.smoke', 'rehearsal.accept']),
    )
    expect(rehearsal?.migration_ms).toBeGreaterThan(0)
    expect(await production()).toEqual(before)
    const kept = (await lab.ports.files.list(report.logs ?? ''))?.map(({ name }) => name)
    expect(kept).toEqual(expect.arrayContaining(['steps.txt', 'postgres.log', 'web.log', 'worker.log']))

    const preview = await previewUpdate(
      await lab.open(),
      { app: 'shop', to: undefined, noRehearsal: undefined, build: true },
      quiet,
      never,
    )
    expect(preview.rehearsal?.migration_ms).toBe(rehearsal?.migration_ms)
    const judged = await readRehearsals(lab.ports.files, lab.stateFolder, 'shop')
    const updated = await update()
    expect(updated).toMatchObject({ exit_code: 0, to: '2', rehearsal: { id: rehearsal?.id } })
    expect(JSON.parse((await lab.get('shop')).body).files).toEqual(['migrated', 'migrated-2'])
    expect(await sql('SELECT what FROM sale ORDER BY id'), 'nothing was scrubbed').toEqual([
      { what: 'one' },
      { what: 'two' },
    ])
    expect(await readRehearsals(lab.ports.files, lab.stateFolder, 'shop')).toEqual(judged)
    expect(await rehearse()).toMatchObject({ nothing_to_do: true, rehearsal: null })
  }, 300_000)

  it('is rehearsed by its update when the last verdict is too old', async () => {
    await lab.apps['shop']?.release('3', TWO)
    const first = await rehearse()
    expect(first).toMatchObject({ exit_code: 0 })
    lab.clock.aheadMs = 8 * DAY_MS
    const updated = await update()
    expect(updated).toMatchObject({ exit_code: 0, from: '2', to: '3', rehearsal: { verdict: 'good' } })
    expect(updated.rehearsal?.id).not.toBe(first.rehearsal?.id)
  }, 300_000)
})

it('a bad release comes all the same when a person says why; that stands in history and audit log', async () => {
  await lab.apps['shop']?.release('4', { ...TWO, fault: 'acceptance-fails' })
  for (const noRehearsal of ['', ' '])
    await expect(update({ noRehearsal })).rejects.toMatchObject({ code: 'USAGE', exitCode: 2 })
  expect(await update({ noRehearsal: 'the tag\nis known' })).toMatchObject({ exit_code: 0, to: '4' })
  const entries = await readReleases(lab.ports.files, lab.stateFolder, 'shop')
  expect(entries.at(-1)).toMatchObject({ version: '4', no_rehearsal: 'the tag is known' })
  expect(await lab.ports.files.readText(join(lab.stateFolder, 'audit.jsonl'))).toContain('the tag is known')
}, 300_000)
