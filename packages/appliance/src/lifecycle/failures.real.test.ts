import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { down } from './down.ts'
import { previewUp } from './preview-up.ts'
import { status } from './status.ts'
import { type Lab, openLab } from './testing/lab.fixture.ts'
import { up } from './up.ts'

const never = new AbortController().signal
const quiet = () => undefined
const asUsual = { firstStart: false }

describe('applications that fail', () => {
  let lab: Lab
  beforeAll(async () => {
    lab = await openLab({
      good: {},
      exiting: {},
      ill: {},
      stuck: { migrates: true },
      smoky: { smoke: true },
      parcels: { worker: true },
    })
  })
  afterAll(() => lab[Symbol.asyncDispose]())
  const bringUp = async () => up((await lab.open()).appliance, asUsual, quiet, never)
  const reason = async (app: string) => JSON.parse((await lab.get(app)).body)

  it('does not keep the others from serving, and each has its own reason', async () => {
    await lab.apps['exiting']?.break('exits')
    await lab.apps['ill']?.break('unhealthy')
    await lab.apps['stuck']?.break('migration-fails')
    await lab.apps['smoky']?.break('smoke-fails')
    // The gateway is up before the waiting is made shorter.
    await lab.configure(['standby'], 'first the gateway')
    await bringUp()
    await lab.configure(['standby'], false)
    lab.clock.speed = 10
    const report = await bringUp()
    lab.clock.speed = 1

    expect(report.exit_code).toBe(5)
    expect(report.errors.map((error) => error.code).toSorted()).toEqual([
      'MIGRATION_FAILED',
      'SERVICE_START_FAILED',
      'SERVICE_UNHEALTHY',
      'SMOKE_FAILED',
    ])
    expect((await lab.get('good')).status).toBe(200)
    expect(await reason('exiting')).toMatchObject({ code: 'SERVICE_START_FAILED', status: 503 })
    const { parts } = await status((await lab.open()).appliance, process.pid)
    for (const [app, detail] of [
      ['exiting', 'the till is jammed'],
      ['ill', 'health answers 500: no stock'],
      ['stuck', 'column "price" exists already'],
      ['smoky', 'the shelf is empty'],
    ] as const) {
      const part = parts.find((entry) => entry.part === app)
      expect(part?.reason).toContain(detail)
      // Visitors read the same sentence, without what the application wrote.
      expect((await reason(app)).reason).toBe(part?.what)
      expect(part?.reason).toBe(`${part?.what}: ${part?.reason.slice((part.what?.length ?? 0) + 2)}`)
      expect((await lab.get(app)).body).not.toContain(detail)
    }
    expect((await lab.get('parcels')).status).toBe(200)
  })

  it('says in the state which part failed, at which step', async () => {
    const report = await status((await lab.open()).appliance, process.pid)
    expect(report).toMatchObject({ state: 'degraded', exit_code: 3, serving: true })
    const steps = Object.fromEntries(report.parts.map((part) => [part.part, part.step]))
    expect(steps).toMatchObject({
      exiting: 'exiting.web/service.start',
      stuck: 'stuck/app.migrate',
      smoky: 'smoky/app.commit',
    })
    const states = Object.fromEntries(report.apps.map((app) => [app.app, app.state]))
    expect(states).toMatchObject({ good: 'serving', exiting: 'failed', ill: 'failed', smoky: 'failed' })
  })

  it('notices a service without health check that ends right after its start, and serves without it', async () => {
    await lab.apps['parcels']?.break('worker-exits')
    const { runtime } = (await lab.open()).appliance
    await runtime.waitForExit('parcels', 'worker', never)
    // The others fail as before; this one would be waited for.
    await lab.apps['ill']?.break('none')
    const report = await bringUp()
    expect(report.errors.filter(({ what }) => what.includes('worker of parcels'))).toMatchObject([
      { code: 'SERVICE_START_FAILED', why: expect.stringContaining('the parcel is lost') },
    ])
    expect((await lab.get('parcels')).status).toBe(200)
    await lab.apps['ill']?.break('unhealthy')
  })

  it('does not take a service that was never healthy for done at the next try', async () => {
    const steps = (await previewUp((await lab.open()).appliance, asUsual, never)).flatMap(
      (preview) => preview.steps,
    )
    expect(steps.find((step) => step.id === 'ill.web/service.start')?.state).toBe('take')
  })

  it('says what keeps it from starting now, not what did before', async () => {
    await lab.apps['stuck']?.break('exits')
    await lab.apps['smoky']?.break('none')
    await lab.apps['exiting']?.break('none')
    await lab.apps['ill']?.break('none')
    await lab.apps['parcels']?.break('none')
    const report = await bringUp()
    expect(report.errors).toHaveLength(1)
    expect(await reason('stuck')).toMatchObject({ code: 'SERVICE_START_FAILED' })
    for (const app of ['good', 'exiting', 'ill', 'smoky', 'parcels'])
      expect(await lab.get(app)).toMatchObject({ status: 200 })
    await lab.apps['stuck']?.break('none')
    expect(await bringUp()).toMatchObject({ exit_code: 0, errors: [] })
    expect(await status((await lab.open()).appliance, process.pid)).toMatchObject({
      state: 'running',
      parts: [],
    })
  })

  it('shows what is wrong with the source of one as a blocked step, and the plan of the others', async () => {
    await lab.configure(['applications', 'lost'], { source: `${lab.folder}/none` })
    const previews = await previewUp((await lab.open()).appliance, asUsual, never)
    expect(previews).toHaveLength(8)
    expect(previews.at(-1)?.steps).toMatchObject([{ state: 'blocked' }])
    const report = await bringUp()
    expect(report.errors).toMatchObject([{ code: 'SOURCE_NOT_FOUND' }])
    expect((await lab.get('good')).status).toBe(200)
  })
})

describe('a data volume that is not what it was', () => {
  let lab: Lab
  let data: string
  beforeAll(async () => {
    lab = await openLab({ shop: {} })
    expect(await up((await lab.open()).appliance, asUsual, quiet, never)).toMatchObject({ exit_code: 0 })
    data = (await lab.open()).appliance.folders.data
    await lab.get('shop', '/letter', 'POST')
    await lab.ports.files.rename(data, `${data}.aside`)
  })
  afterAll(() => lab[Symbol.asyncDispose]())

  const running = async () =>
    (await (await lab.open()).appliance.runtime.list()).map(({ service }) => service)

  it.each([
    ['absent', 'STORAGE_ABSENT', 'no-storage', async () => undefined],
    ['empty', 'STORAGE_EMPTY', 'no-storage', async () => lab.ports.files.makeFolder(data)],
    [
      'another appliance’s',
      'STORAGE_FOREIGN',
      'wrong-storage',
      async () =>
        lab.ports.files.write(
          `${data}/caretaker.json`,
          JSON.stringify({ format: 1, appliance_id: 'other', created_at: '2026-01-01T00:00:00Z' }),
        ),
    ],
    [
      'damaged',
      'STORAGE_UNREADABLE',
      'wrong-storage',
      async () => lab.ports.files.write(`${data}/caretaker.json`, '{'),
    ],
  ])('%s: nothing runs on it, and the page says so', async (_name, code, name, make) => {
    await make()
    const report = await up((await lab.open()).appliance, asUsual, quiet, never)
    expect(report).toMatchObject({ exit_code: 5, errors: [{ code }] })
    expect(await running()).toEqual(['gateway'])
    const shown = await lab.get('shop')
    expect(shown.status).toBe(503)
    expect(JSON.parse(shown.body)).toMatchObject({ code })
    const state = await status((await lab.open()).appliance, process.pid)
    expect(state).toMatchObject({ state: name, code, serving: false, exit_code: 5 })
  })

  it('serves again when it is back, with what was written', async () => {
    await lab.ports.files.remove(data)
    await lab.ports.files.rename(`${data}.aside`, data)
    expect(await up((await lab.open()).appliance, asUsual, quiet, never)).toMatchObject({ exit_code: 0 })
    expect(JSON.parse((await lab.get('shop')).body).files).toEqual(['letter'])
    expect(await status((await lab.open()).appliance, process.pid)).toMatchObject({ state: 'running' })
  })

  it('refuses to begin with nothing where one application has lost its data', async () => {
    const { appliance } = await lab.open()
    await appliance.storage.removeUnit('shop')
    expect(await up(appliance, asUsual, quiet, never)).toMatchObject({
      errors: [{ code: 'DATABASE_ABSENT' }],
    })
    expect(await appliance.storage.hasUnit('shop')).toBe(false)
  })
})

it('starts nothing while the config asks for a recovery, but shows the page with the reason', async () => {
  await using lab = await openLab({ shop: {} })
  await lab.configure(['recover'], { from_backup: true })
  const previews = await previewUp((await lab.open()).appliance, asUsual, never)
  expect(previews[0]?.steps.at(-1)).toMatchObject({ state: 'blocked' })
  const report = await up((await lab.open()).appliance, asUsual, quiet, never)
  expect(report).toMatchObject({ exit_code: 5, errors: [{ code: 'RECOVERY_NOT_IN_THIS_VERSION' }] })
  const { appliance } = await lab.open()
  expect((await appliance.runtime.list()).map(({ service }) => service)).toEqual(['gateway'])
  expect(await appliance.storage.identify(appliance.config.id)).toMatchObject({ state: 'absent' })
  expect(JSON.parse((await lab.get('shop')).body)).toMatchObject({ code: 'RECOVERY_NOT_IN_THIS_VERSION' })
  expect(await status(appliance, process.pid)).toMatchObject({ state: 'recovery-failed', serving: false })
  await down(appliance, { remember: true }, quiet, never)
})

it('names the port that is taken, and starts when it is free again', async () => {
  await using lab = await openLab({ shop: {} })
  const { createServer } = await import('node:net')
  const other = createServer()
  await new Promise<void>((resolve) => other.listen(lab.httpsPort, '127.0.0.1', resolve))
  const report = await up((await lab.open()).appliance, asUsual, quiet, never)
  expect(report).toMatchObject({ exit_code: 3, errors: [{ code: 'PORT_IN_USE' }] })
  expect(await status((await lab.open()).appliance, process.pid)).toMatchObject({
    state: 'failed',
    code: 'PORT_IN_USE',
    step: 'appliance/gateway.start',
  })
  await new Promise((resolve) => other.close(resolve))
  expect(await up((await lab.open()).appliance, asUsual, quiet, never)).toMatchObject({ exit_code: 0 })
  expect((await lab.get('shop')).status).toBe(200)
})

it('uses no run folder that somebody else could change', async () => {
  await using lab = await openLab({ shop: {} })
  const { appliance } = await lab.open()
  await lab.ports.files.makeFolder(appliance.folders.run, 0o711)
  await lab.ports.files.setMode(appliance.folders.run, 0o777)
  await expect(up(appliance, asUsual, quiet, never)).rejects.toMatchObject({ code: 'NO_PERMISSION' })
  expect(await appliance.runtime.list()).toEqual([])
})
