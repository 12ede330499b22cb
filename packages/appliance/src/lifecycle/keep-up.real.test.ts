import { setTimeout as pause } from 'node:timers/promises'
import { DAY_MS } from '@caretaker/kernel/time.ts'
import { withOperationLock } from '@caretaker/steps/operation-lock.ts'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type KeptUp, UpKeeper } from './keep-up.ts'
import { serviceOff, serviceOn } from './manual-service.ts'
import { status } from './status.ts'
import { type Lab, openLab } from './testing/lab.fixture.ts'
import { up } from './up.ts'

const never = new AbortController().signal
const quiet = () => undefined

let lab: Lab
const keeper = new UpKeeper()
beforeAll(async () => {
  lab = await openLab({ shop: { database: true, worker: true }, other: {} })
  const report = await up((await lab.open()).appliance, { firstStart: false }, quiet, never)
  expect(report.errors).toEqual([])
})
afterAll(() => lab[Symbol.asyncDispose]())

const state = async () => status((await lab.open()).appliance, process.pid)

/** Tends as the daemon does, until `isDone`; gives all that was done. */
async function tendUntil(isDone: (done: readonly KeptUp[]) => boolean | Promise<boolean>) {
  const { appliance } = await lab.open()
  const done: KeptUp[] = []
  const deadline = performance.now() + 90_000
  while (!(await isDone(done))) {
    if (performance.now() > deadline) throw new Error(`not within 90 s; done: ${JSON.stringify(done)}`)
    done.push(...(await keeper.tend(appliance, never)))
    await pause(20)
  }
  return done
}

const isUp = async (app = 'shop') => (await lab.get(app).catch(() => undefined))?.status === 200

it('does nothing while all runs', async () => {
  const before = await lab.operations()
  expect(await keeper.tend((await lab.open()).appliance, never)).toEqual([])
  expect(await lab.operations()).toEqual(before)
})

it.each([
  ['shop', 'web'],
  ['shop', 'postgres'],
  ['-', 'gateway'],
])('starts %s %s again', async (app, service) => {
  await lab.kill(service, app)
  const done = await tendUntil(async (so) => so.length > 0 && (await isUp()))
  expect(done).toContainEqual({
    app,
    service,
    did: 'started it again',
    because: 'ended',
  })
  expect(await state()).toMatchObject({ state: 'running' })
})

it('starts nothing again while somebody wants the lock, and then it does', async () => {
  await lab.kill('web')
  const { appliance } = await lab.open()
  expect(await keeper.tend(appliance, never, { mayBegin: () => false })).toEqual([])
  expect((await appliance.runtime.status('shop', 'web'))?.state).not.toBe('running')
  const done = await tendUntil(async (so) => so.length > 0 && (await isUp()))
  expect(done).toContainEqual(expect.objectContaining({ service: 'web', did: 'started it again' }))
})

describe('a record of a process that is damaged while it runs', () => {
  const record = async (service: string) =>
    `${(await lab.open()).appliance.folders.processes}/${service}.json`

  it.each([
    ['shop.web', 'cut in half', (text: string) => text.slice(0, text.length / 2)],
    ['shop.postgres', 'emptied', () => ''],
    ['-.gateway', 'overwritten', () => '\u0000\u0001 no JSON {'],
    ['other.web', 'of something else', () => '{}'],
  ])('%s, %s: it is set aside and told, and the service goes on', async (name, _way, spoil) => {
    const { appliance } = await lab.open()
    const path = await record(name)
    const text = (await lab.ports.files.readText(path)) ?? ''
    expect(await keeper.tend(appliance, never)).toEqual([])
    await lab.ports.files.write(path, spoil(text))
    expect(await state()).toMatchObject({
      state: expect.stringMatching(/degraded|failed/),
      code: expect.any(String),
    })
    const [app, service] = name.split('.') as [string, string]
    const done = await keeper.tend(appliance, never)
    expect(done).toMatchObject([{ app, service, did: 'has a new record' }])
    expect(done[0]?.because).toContain('STATE_DAMAGED')
    expect(JSON.parse((await lab.ports.files.readText(path)) ?? '')).toEqual(JSON.parse(text))
    expect(await isUp('shop')).toBe(true)
    expect(await isUp('other')).toBe(true)
    expect(await state()).toMatchObject({
      state: 'degraded',
      code: 'STATE_DAMAGED',
      serving: true,
      exit_code: 3,
    })
    expect((await state()).next).toContain(`rm ${path}.damaged`)
    expect(await lab.ports.files.readText(`${path}.damaged`)).toBe(spoil(text))
    await lab.ports.files.remove(`${path}.damaged`)
    expect(await state()).toMatchObject({ state: 'running', parts: [] })
  })

  it('of a process that nobody remembers: the service is started again, once', async () => {
    const path = await record('other.web')
    await lab.ports.files.write(path, '')
    // One that has never read the record while it was whole.
    const { appliance } = await lab.open()
    const found = await lab.ports.processes.findByLabel(appliance.config.id)
    await tendUntil(async (so) => so.some(({ did }) => did === 'started it again') && (await isUp('other')))
    const web = (all: typeof found) => all.filter(({ label }) => label.app === 'other')
    expect(web(await lab.ports.processes.findByLabel(appliance.config.id))).toHaveLength(web(found).length)
    await lab.ports.files.remove(`${path}.damaged`)
    expect(await state()).toMatchObject({ state: 'running', parts: [] })
  })
})

it.each(['worker', 'postgres'])(
  'starts %s, of which the runtime knows nothing, and says that it is missing',
  async (service) => {
    const { appliance } = await lab.open()
    await appliance.runtime.stop('shop', service)
    expect(await state()).toMatchObject({
      state: 'degraded',
      exit_code: 3,
      parts: [{ part: 'shop', reason: `the service ${service} does not run` }],
    })
    const done = await tendUntil((so) => so.length > 0)
    expect(done).toMatchObject([{ app: 'shop', service, did: 'started it again' }])
    expect(await state()).toMatchObject({ state: 'running', parts: [] })
  },
)

it('leaves it to whoever holds the lock, and does it afterwards', async () => {
  const { appliance } = await lab.open()
  const claim = { actor: appliance.actor, purpose: 'test', pid: process.pid }
  await withOperationLock(lab.ports, lab.stateFolder, claim, async () => {
    await lab.kill('web', 'other')
    expect(await keeper.tend(appliance, never)).toEqual([])
  })
  await tendUntil(() => isUp('other'))
})

it('names a crash loop with the last lines of the log, goes on trying, and says when it is over', async () => {
  await lab.apps['shop']?.break('worker-exits')
  lab.clock.speed = 5
  const done = await tendUntil((so) => so.some((event) => event.did === 'is in a crash loop'))
  const ends = done.filter(({ service, did }) => service === 'worker' && did === 'started it again')
  expect(ends).toHaveLength(4)
  const looping = await state()
  expect(looping).toMatchObject({
    state: 'degraded',
    code: 'SERVICE_CRASH_LOOP',
    serving: true,
    exit_code: 3,
  })
  expect(looping.parts).toMatchObject([{ part: 'shop', code: 'SERVICE_CRASH_LOOP' }])
  expect(looping.reason).toContain('the parcel is lost')
  expect((await lab.get('shop')).status).toBe(200)

  await lab.apps['shop']?.break('none')
  await tendUntil((so) => so.some(({ service, did }) => service === 'worker' && did === 'started it again'))
  expect((await state()).code).toBe('SERVICE_CRASH_LOOP')
  // What the wall clock says cures nothing, nor does it make a cure longer.
  lab.clock.speed = 1
  lab.clock.aheadMs = DAY_MS
  for (let turn = 0; turn < 5; turn += 1)
    expect(await keeper.tend((await lab.open()).appliance, never)).toEqual([])
  lab.clock.aheadMs = -DAY_MS
  lab.clock.speed = 20
  const later = await tendUntil((so) => so.some((event) => event.did === 'has recovered'))
  lab.clock.speed = 1
  lab.clock.aheadMs = 0
  expect(later).toContainEqual(
    expect.objectContaining({ app: 'shop', service: 'worker', did: 'has recovered' }),
  )
  expect(await state()).toMatchObject({ state: 'running', parts: [] })
})

it('goes on trying what could not even be started', async () => {
  const { appliance } = await lab.open()
  const logs = `${appliance.folders.logs}/other`
  await lab.ports.files.rename(logs, `${logs}.aside`)
  await lab.ports.files.write(logs, 'in the way')
  await lab.kill('web', 'other')
  await tendUntil((so) => so.some(({ did }) => did === 'could not start it'))
  expect(await appliance.runtime.status('other', 'web')).toBeUndefined()
  expect(await state()).toMatchObject({ state: 'degraded', parts: [{ part: 'other' }] })
  await lab.ports.files.remove(logs)
  await lab.ports.files.rename(`${logs}.aside`, logs)
  await tendUntil(() => isUp('other'))
})

it('starts nothing that a person has stopped', async () => {
  const { appliance } = await lab.open()
  await serviceOn(appliance, { reason: 'Counting', until: undefined }, quiet, never)
  for (let turn = 0; turn < 5; turn += 1) expect(await keeper.tend(appliance, never)).toEqual([])
  expect((await lab.get('shop')).status).toBe(503)
  await serviceOff(appliance, quiet, never)
  expect(await isUp()).toBe(true)
})

it('starts nothing but the gateway while the data volume is not ours', async () => {
  const { appliance } = await lab.open()
  await lab.ports.files.rename(appliance.folders.data, `${appliance.folders.data}.aside`)
  await up(appliance, { firstStart: false }, quiet, never)
  const records = appliance.folders.processes
  // As after a reboot: everything is recorded and nothing runs.
  const gateway = JSON.parse((await lab.ports.files.readText(`${records}/-.gateway.json`)) ?? '')
  const ended = {
    ...gateway,
    app: 'shop',
    service: 'web',
    identity: { ...gateway.identity, bootId: 'earlier' },
  }
  await lab.ports.files.write(`${records}/shop.web.json`, JSON.stringify(ended))
  await lab.kill('gateway', '-')
  await tendUntil(async () => (await lab.get('shop').catch(() => undefined))?.status === 503)
  expect((await appliance.runtime.status('shop', 'web'))?.state).toBe('ended')
  expect(JSON.parse((await lab.get('shop')).body)).toMatchObject({ code: 'STORAGE_ABSENT' })
})
