import { rename } from 'node:fs/promises'
import { DAY_MS } from '@caretaker/kernel/time.ts'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { listJobs } from '../jobs/known-jobs.ts'
import { git } from '../release/release.fixture.ts'
import { listUpdates } from './app-updates.ts'
import { updateAutomatically } from './automatic-updates.ts'
import { underLock } from './change-release.ts'
import { rehearseApp } from './rehearse.ts'
import { rollbackApp } from './rollback-app.ts'
import { type Lab, openLab } from './testing/lab.fixture.ts'
import { up } from './up.ts'
import { updateApp } from './update-app.ts'

const never = new AbortController().signal
const quiet = () => undefined

let lab: Lab
beforeAll(async () => {
  lab = await openLab({ shop: { smoke: true } })
  await up((await lab.open()).appliance, { firstStart: false }, quiet, never)
}, 300_000)
afterAll(() => lab[Symbol.asyncDispose]())

const appliance = async () => (await lab.open()).appliance
const look = async () => (await listUpdates(await appliance(), never))[0]
const rehearse = async () =>
  rehearseApp(await lab.open(), { app: 'shop', to: undefined, allowOutside: false, watchMs: 0 }, quiet, never)
/** What the job `updates` does; gives what it said. */
const automatically = async () => {
  const here = await appliance()
  const lines: string[] = []
  const work = () => updateAutomatically(here, (line) => lines.push(line), never)
  await underLock(here, 'a test', never, work)
  return lines.join('\n')
}
const names = async () => (await listJobs(await appliance())).map(({ name }) => name)

it('says what runs, what the source holds and since when, whether it is ready, and why not', async () => {
  expect(await look()).toMatchObject({ app: 'shop', state: 'up-to-date', runs: '1', holds: '1', since: null })

  await lab.apps['shop']?.release('2', { smoke: true, fault: 'smoke-fails' })
  const first = await look()
  expect(first).toMatchObject({ state: 'available', runs: '1', holds: '2', why: 'it was not rehearsed' })
  lab.clock.aheadMs += DAY_MS
  expect((await look())?.since).toBe(first?.since)
  expect(await rehearse()).toMatchObject({ exit_code: 1 })
  expect(await look()).toMatchObject({
    state: 'refused',
    since: first?.since,
    why: expect.stringContaining('the shelf is empty'),
  })

  await lab.apps['shop']?.release('2', { smoke: true })
  const second = await look()
  expect(second).toMatchObject({ state: 'available', rehearsal: null })
  expect(second?.since).not.toBe(first?.since)
  expect(await rehearse()).toMatchObject({ exit_code: 0 })
  expect(await look()).toMatchObject({ state: 'ready', next: 'caretaker app update shop' })
  // It is ready with the settings that it was rehearsed with.
  const environment = ['applications', 'shop', 'environment']
  await lab.configure(environment, { GREETING: 'good bye' })
  expect(await look()).toMatchObject({ state: 'available', why: expect.stringContaining('other settings') })
  await lab.configure(environment, undefined)
  expect(await look()).toMatchObject({ state: 'ready' })
}, 300_000)

it('takes nothing by itself unless that is switched on, and then only what was known long enough', async () => {
  expect(await names()).not.toContain('updates')
  await lab.configure(['updates'], { automatic: true, hold_days: 3, window: '00:00-24:00' })
  expect(await names()).toContain('updates')
  expect(await automatically()).toContain('2 is held until')
  lab.clock.aheadMs += 4 * DAY_MS
  await lab.configure(['updates', 'hold_days'], 30)
  expect(await automatically()).toContain('2 is held until')
  await lab.configure(['updates', 'hold_days'], 3)
  expect(await automatically()).toContain('runs 2 (before: 1)')
  expect(await look()).toMatchObject({ state: 'up-to-date', runs: '2' })
  expect((await lab.get('shop')).status).toBe(200)
}, 300_000)

it('a release that the config does not name is updated to by the command that is said', async () => {
  const folder = lab.apps['shop']?.folder ?? ''
  await git(folder, 'init', '--quiet')
  for (const version of ['3', '4']) {
    await lab.apps['shop']?.release(version, { smoke: true })
    await git(folder, 'add', '--all')
    await git(folder, 'commit', '--quiet', '--message', version)
    await git(folder, 'tag', `v${version}`)
  }
  const known = (await lab.open()).appliance.config.applications['shop']
  await lab.configure(['applications', 'shop'], { ...known, source: `file://${folder}`, ref: 'v3' })
  const options = { app: 'shop', allowOutside: false, watchMs: 0 }
  const rehearsed = await rehearseApp(await lab.open(), { ...options, to: 'v4' }, quiet, never)
  expect(rehearsed).toMatchObject({
    exit_code: 0,
    again: 'caretaker app rehearse shop --to v4',
    update: 'caretaker app update shop --to v4',
  })
  expect(await look()).toMatchObject({ holds: '3', next: 'caretaker app rehearse shop' })
  const taken = await updateApp(
    await lab.open(),
    { app: 'shop', to: 'v4', noRehearsal: undefined },
    quiet,
    never,
  )
  expect(taken).toMatchObject({ exit_code: 0, to: '4', again: 'caretaker app update shop --to v4' })
  // Back, the config goes on naming it: it is offered, and comes only when it is named again.
  const back = { app: 'shop', withData: false, confirm: undefined }
  expect(await rollbackApp(await lab.open(), back, quiet, never)).toMatchObject({ exit_code: 0 })
  expect(await look()).toMatchObject({
    state: 'refused',
    runs: rehearsed.from,
    holds: '4',
    next: 'caretaker app update shop --to v4',
  })
}, 300_000)

it('says why when a source cannot be asked', async () => {
  const folder = lab.apps['shop']?.folder ?? ''
  await rename(folder, `${folder}.gone`)
  expect(await look()).toMatchObject({ state: 'unknown', why: expect.stringContaining(folder) })
  await rename(`${folder}.gone`, folder)
})
