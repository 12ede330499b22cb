import type { Preview } from '@caretaker/steps/preview.ts'
import type { OperationResult } from '@caretaker/steps/runner.ts'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { adminAddress } from './app-database.ts'
import { execInApp } from './app-exec.ts'
import { restartApp } from './apps.ts'
import { down } from './down.ts'
import { serviceOff, serviceOn } from './manual-service.ts'
import { previewUp } from './preview-up.ts'
import { rotateAppPassword } from './rotate-password.ts'
import { status } from './status.ts'
import { type Lab, openLab } from './testing/lab.fixture.ts'
import { up } from './up.ts'

const never = new AbortController().signal
const quiet = () => undefined
const asUsual = { firstStart: false }

let lab: Lab
beforeAll(async () => {
  lab = await openLab({ shop: { database: true, migrates: true, smoke: true, worker: true } })
})
afterAll(() => lab[Symbol.asyncDispose]())

const bringUp = async () => up((await lab.open()).appliance, asUsual, quiet, never)
const state = async () => status((await lab.open()).appliance, process.pid)
const page = async () => JSON.parse((await lab.get('shop')).body)

async function sql(text: string): Promise<readonly object[]> {
  const { appliance } = await lab.open()
  const address = await adminAddress(appliance, 'shop', 'shop')
  return lab.ports.databases.withSession(address, { timeoutMs: 60_000 }, (session) => session.query(text))
}

const planned = (previews: readonly Preview[]) =>
  previews.flatMap((preview) => preview.steps.filter((step) => step.state === 'take').map((step) => step.id))
const taken = (operations: readonly OperationResult[]) =>
  operations.flatMap((done) => done.steps.filter((step) => step.state === 'applied').map((step) => step.id))

/** Looks first, then brings up: exactly the steps that were shown must have been taken. */
async function expectPreviewTaken(): Promise<readonly string[]> {
  const shown = planned(await previewUp((await lab.open()).appliance, asUsual, never))
  const before = await lab.operations()
  const report = await bringUp()
  expect(report.errors).toEqual([])
  expect(report.exit_code).toBe(0)
  expect(taken(report.operations)).toEqual(shown)
  expect((await lab.operations()).length - before.length).toBe(report.operations.length)
  return shown
}

describe('up', () => {
  it('brings everything up from nothing, with the steps it has shown, and serves over HTTPS', async () => {
    expect((await state()).code).toBe('NOT_STARTED')
    const steps = await expectPreviewTaken()
    expect(steps.slice(0, 2)).toEqual(['appliance/gateway.start', 'appliance/certificates.ensure'])
    expect(steps.slice(-2)).toEqual(['shop/app.commit', 'shop/gateway.route'])
    expect(await page()).toMatchObject({ greeting: 'hello', files: ['migrated'] })
    expect(await state()).toMatchObject({ state: 'running', code: 'OK', serving: true, exit_code: 0 })
  })

  it('does nothing the second time, and journals no operation', async () => {
    const before = await lab.operations()
    const report = await bringUp()
    expect(report).toEqual({
      nothing_to_do: true,
      operations: [],
      errors: [],
      warnings: [],
      not_started: null,
      exit_code: 0,
    })
    expect(await lab.operations()).toEqual(before)
  })

  it('starts a killed service again, as shown', async () => {
    await lab.kill('web')
    expect(await expectPreviewTaken()).toEqual(['shop.web/service.start', 'shop/gateway.route'])
    expect((await lab.get('shop')).status).toBe(200)
  })

  it('starts a killed Postgres again, as shown, with what was committed', async () => {
    await sql('CREATE TABLE kept AS SELECT 42 AS answer')
    await lab.kill('postgres')
    expect(await expectPreviewTaken()).toEqual(['shop/postgres.start'])
    expect(await sql('SELECT answer FROM kept')).toEqual([{ answer: 42 }])
  })

  it('starts a killed gateway again, as shown', async () => {
    await lab.kill('gateway', '-')
    expect(await expectPreviewTaken()).toEqual(['appliance/gateway.start'])
    expect((await lab.get('shop')).status).toBe(200)
  })

  it('tells a command that runs meanwhile that its Postgres is down, before the command speaks', async () => {
    await lab.kill('postgres')
    const lines: string[] = []
    const command = { app: 'shop', service: undefined, command: ['node', '--version'] }
    const { appliance } = await lab.open()
    const result = await execInApp(appliance, command, (line) => void lines.push(line), never)
    expect(result.exitCode).toBe(0)
    expect(lines).toEqual([
      expect.stringMatching(/^caretaker: Postgres of shop does not serve: .+; next: caretaker up$/),
      expect.stringMatching(/^v\d+/),
    ])
    expect((await bringUp()).errors).toEqual([])
    lines.length = 0
    await execInApp((await lab.open()).appliance, command, (line) => void lines.push(line), never)
    expect(lines).toEqual([expect.stringMatching(/^v\d+/)])
  })

  it('restarts the service whose environment the config changes, as shown', async () => {
    await lab.configure(['applications', 'shop', 'environment'], { GREETING: 'servus' })
    expect(await expectPreviewTaken()).toContain('shop.web/service.start')
    expect(await page()).toMatchObject({ greeting: 'servus' })
  })

  it('makes a lost certificate anew, as shown, and serves the new one', async () => {
    await lab.ports.files.remove(`${lab.stateFolder}/certificates/app-shop.crt`)
    expect(await expectPreviewTaken()).toEqual(['appliance/certificates.ensure'])
    const { appliance } = await lab.open()
    const { X509Certificate } = await import('node:crypto')
    const pem = (await lab.ports.files.readText(`${lab.stateFolder}/certificates/app-shop.crt`)) ?? ''
    const made = new X509Certificate(pem).fingerprint256.replaceAll(':', '').toLowerCase()
    const served = (await appliance.gateway.status()).certificates.map(({ fingerprint }) => fingerprint)
    expect(served).toContain(made)
    expect((await lab.get('shop')).status).toBe(200)
  })

  it('restarts a service that runs and is not well', async () => {
    await lab.apps['shop']?.break('unhealthy')
    const shown = planned(await previewUp((await lab.open()).appliance, asUsual, never))
    expect(shown).toContain('shop.web/service.start')
    await lab.apps['shop']?.break('none')
    expect((await bringUp()).nothing_to_do).toBe(true)
  })

  it('refuses a second one at the same time', async () => {
    await lab.kill('web')
    const both = await Promise.allSettled([bringUp(), bringUp()])
    const refused = both.filter((result) => result.status === 'rejected')
    expect(refused).toHaveLength(1)
    expect(refused[0]?.reason).toMatchObject({ code: 'LOCKED', exitCode: 11 })
    expect((await lab.get('shop')).status).toBe(200)
  })

  it('stops an application that was taken out of the config by hand, as shown', async () => {
    const whole = (await lab.ports.files.readText(lab.configFile)) ?? ''
    await lab.configure(['applications', 'shop'], undefined)
    const shown = await expectPreviewTaken()
    expect(shown).toContain('shop.web/service.stop')
    expect((await (await lab.open()).appliance.runtime.list()).map(({ service }) => service)).toEqual([
      'gateway',
    ])
    await lab.ports.files.write(lab.configFile, whole)
    await expectPreviewTaken()
    expect(await sql('SELECT answer FROM kept')).toEqual([{ answer: 42 }])
  })
})

describe('manual service mode', () => {
  it('shows the reason, runs nothing of the application, and stays over an up', async () => {
    const { appliance } = await lab.open()
    const wanted = { reason: 'Moving <house>', until: undefined }
    expect((await serviceOn(appliance, wanted, quiet, never)).exit_code).toBe(0)
    expect(await lab.get('shop')).toMatchObject({ status: 503 })
    expect(await page()).toMatchObject({ code: 'MANUAL_SERVICE', reason: 'Moving <house>' })
    expect(await expectPreviewTaken()).toEqual([])
    expect(await state()).toMatchObject({ state: 'manual-service', serving: false, exit_code: 0 })
    const report = await up(appliance, { firstStart: false }, quiet, never)
    expect(report).toMatchObject({
      exit_code: 0,
      not_started: expect.stringContaining('caretaker service off'),
    })
    await expect(restartApp(await lab.open(), 'shop', quiet, never)).rejects.toMatchObject({
      code: 'STEP_BLOCKED',
      why: expect.stringContaining('service mode is on'),
    })
    const running = (await appliance.runtime.list()).map(({ service }) => service)
    expect(running.toSorted()).toEqual(['gateway', 'postgres'])
  })

  it('serves again afterwards', async () => {
    expect((await serviceOff((await lab.open()).appliance, quiet, never)).exit_code).toBe(0)
    expect((await lab.get('shop')).status).toBe(200)
  })
})

describe('standby', () => {
  it('stops what runs, as shown, and says why', async () => {
    await lab.configure(['standby'], 'The other house serves.')
    expect(await expectPreviewTaken()).toContain('shop.web/service.stop')
    expect(await page()).toMatchObject({ code: 'STANDBY', reason: 'The other house serves.' })
    await lab.configure(['standby'], false)
    await expectPreviewTaken()
    expect((await lab.get('shop')).status).toBe(200)
  })
})

it('gives the application a new database password and restarts it with that', async () => {
  const before = (await page()).database
  const { appliance } = await lab.open()
  expect(await rotateAppPassword(appliance, 'shop', quiet, never)).toMatchObject({ exit_code: 0 })
  expect((await page()).database).not.toBe(before)
  expect((await bringUp()).nothing_to_do).toBe(true)
})

it('keeps what was written over down and up', async () => {
  expect((await lab.get('shop', '/letter', 'POST')).status).toBe(200)
  const { appliance } = await lab.open()
  expect(await down(appliance, { remember: true }, quiet, never)).toMatchObject({ exit_code: 0, errors: [] })
  expect(await lab.ports.processes.findByLabel(appliance.config.id)).toEqual([])
  expect(await state()).toMatchObject({ state: 'stopped', exit_code: 0 })
  expect(await serviceOn(appliance, { reason: 'later', until: undefined }, quiet, never)).toMatchObject({
    exit_code: 0,
  })
  await serviceOff(appliance, quiet, never)
  expect(await lab.ports.processes.findByLabel(appliance.config.id)).toEqual([])
  await expectPreviewTaken()
  expect((await page()).files).toEqual(['letter', 'migrated'])
  expect(await sql('SELECT answer FROM kept')).toEqual([{ answer: 42 }])
})

it('says while it stops for a daemon that ends that it does, and then why nothing runs', async () => {
  const { appliance } = await lab.open()
  const seen: ReturnType<typeof state>[] = []
  const look = () => void seen.push(status(appliance, undefined))
  expect(await down(appliance, { remember: false }, look, never)).toMatchObject({ errors: [] })
  expect(await seen[0]).toMatchObject({ state: 'stopped', code: 'STOPPING', exit_code: 0, parts: [] })
  const after = await status(appliance, undefined)
  expect(after).toMatchObject({ state: 'stopped', code: 'DAEMON_STOPPED', exit_code: 0, parts: [] })
  expect(after.next).toContain('caretaker daemon')
  // A daemon that came since and starts nothing is told as what it is.
  expect(await state()).toMatchObject({ state: 'failed', serving: false })
  expect((await bringUp()).errors).toEqual([])
  expect(await state()).toMatchObject({ state: 'running', code: 'OK' })
})

it.each(['running', 'stopped'])(
  'makes its own passwords anew when they are lost while it is %s',
  async (how) => {
    if (how === 'stopped') await down((await lab.open()).appliance, { remember: true }, quiet, never)
    await lab.ports.files.remove(`${lab.stateFolder}/secrets.json`)
    const before = await status((await lab.open()).appliance, process.pid)
    expect(await bringUp()).toMatchObject({ exit_code: 0, errors: [] })
    expect(before.state).toBe(how)
    expect((await page()).greeting).toBe('servus')
    expect(await sql('SELECT answer FROM kept')).toEqual([{ answer: 42 }])
    expect((await bringUp()).nothing_to_do).toBe(true)
  },
)

it.runIf(process.getuid?.() === 0)(
  'copies programs that only root can reach, and those of a new version again',
  async () => {
    await using other = await openLab({ notes: {} })
    await other.ports.files.setMode(other.around.programs.folder, 0o700)
    const { appliance } = await other.open()
    expect(await up(appliance, asUsual, quiet, never)).toMatchObject({ exit_code: 0 })
    expect((await other.get('notes')).status).toBe(200)
    expect((await up(appliance, asUsual, quiet, never)).nothing_to_do).toBe(true)
    const newer = { ...appliance, programs: { ...appliance.programs, version: '0.0.1-test' } }
    const report = await up(newer, asUsual, quiet, never)
    expect(taken(report.operations)).toEqual(['appliance/programs.stage'])
  },
)
