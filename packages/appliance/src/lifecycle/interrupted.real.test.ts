import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { adminAddress } from './app-database.ts'
import { previewUp } from './preview-up.ts'
import { status } from './status.ts'
import { type Lab, openLab } from './testing/lab.fixture.ts'
import type { UpTask } from './testing/up-process.fixture.ts'
import { up } from './up.ts'

const UP = fileURLToPath(new URL('./testing/up-process.fixture.ts', import.meta.url))
const never = new AbortController().signal

/** Runs `up` in a process of its own, which kills itself the moment the journal has reached `killAt`. */
async function upKilledAt(lab: Lab, killAt: string): Promise<void> {
  const { stateFolder, configFile } = lab
  const task: UpTask = { stateFolder, configFile, programs: lab.around.programs, killAt }
  const child = spawn(process.execPath, [UP, JSON.stringify(task)], { stdio: 'inherit' })
  const [, signal] = await once(child, 'exit')
  expect(signal).toBe('SIGKILL')
}

const bringUp = async (lab: Lab) =>
  up((await lab.open()).appliance, { firstStart: false }, () => undefined, never)

async function expectWhole(lab: Lab): Promise<void> {
  const report = await bringUp(lab)
  expect(report).toMatchObject({ exit_code: 0, errors: [] })
  expect(JSON.parse((await lab.get('shop')).body).files).toEqual(['migrated'])
  expect(await status((await lab.open()).appliance, process.pid)).toMatchObject({
    state: 'running',
    unfinished_operations: [],
  })
  expect((await bringUp(lab)).nothing_to_do).toBe(true)
  // One process of each kind: nothing was left of the killed start.
  const { config, runtime } = (await lab.open()).appliance
  const found = await lab.ports.processes.findByLabel(config.id)
  const leaders = (await runtime.list()).map(({ pid }) => pid)
  const web = found.filter(({ label }) => label.service === 'web').map(({ identity }) => identity.pid)
  expect(web).toHaveLength(1)
  expect(leaders).toContain(web[0])
}

it.concurrent.each([
  'step-started appliance/gateway.start',
  'step-started appliance/storage.prepare',
  'step-started shop/release.prepare',
  'step-applied shop/unit.create',
  'step-started shop/app.migrate',
  'step-started shop.web/service.start',
  'step-applied shop/app.commit',
])('killed at %s, the next up ends with all of it done', async (killAt) => {
  await using lab = await openLab({ shop: { migrates: true, smoke: true } })
  await upKilledAt(lab, killAt)
  const { appliance } = await lab.open()
  const between = await status(appliance, process.pid)
  expect(between.state).not.toBe('starting')
  expect(between.unfinished_operations).toHaveLength(1)
  await expectWhole(lab)
})

it('killed while it makes the database or starts it, the next up ends with all of it done', async () => {
  await using lab = await openLab({ shop: { database: true, migrates: true } })
  for (const killAt of [
    'step-started shop/postgres.create',
    'step-started shop/postgres.start',
    'step-started shop/database.create',
  ]) {
    await upKilledAt(lab, killAt)
    await previewUp((await lab.open()).appliance, { firstStart: false }, never)
  }
  await expectWhole(lab)
  const { appliance } = await lab.open()
  const rows = await lab.ports.databases.withSession(
    await adminAddress(appliance, 'shop'),
    { timeoutMs: 60_000 },
    (session) => session.query("SELECT datname FROM pg_database WHERE datname = 'shop'"),
  )
  expect(rows).toHaveLength(1)
})

it('an interrupted start that can no more be finished does not spoil one that can', async () => {
  await using lab = await openLab({ shop: { migrates: true } })
  await lab.apps['shop']?.break('migration-fails')
  await upKilledAt(lab, 'step-started shop/app.migrate')
  await lab.ports.files.remove(`${lab.apps['shop']?.folder}/migrate.mjs`)
  await lab.ports.files.write(`${lab.apps['shop']?.folder}/migrate.mjs`, MIGRATE, 0o644)
  await expectWhole(lab)
})

it('a migration that outlives the one who began it is ended before it is begun again', async () => {
  await using lab = await openLab({ shop: { migrates: true } })
  await lab.apps['shop']?.break('migration-hangs')
  await upKilledAt(lab, 'step-progress shop/app.migrate')
  const commands = async () =>
    (await lab.ports.processes.findByLabel((await lab.open()).appliance.config.id)).filter(({ label }) =>
      label.service.startsWith('run@'),
    )
  expect(await commands()).toHaveLength(1)
  await lab.apps['shop']?.break('none')
  await expectWhole(lab)
  expect(await commands()).toEqual([])
})

const MIGRATE = `import { existsSync, writeFileSync } from 'node:fs'
const done = process.env.DATA_DIR_FILES + '/migrated'
if (process.argv[2] === '--check') process.exit(existsSync(done) ? 0 : 10)
writeFileSync(done, '')
`
