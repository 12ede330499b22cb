import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { down } from './down.ts'
import { UpKeeper } from './keep-up.ts'
import { serviceOff, serviceOn } from './manual-service.ts'
import { previewUp } from './preview-up.ts'
import { status } from './status.ts'
import { openLab } from './testing/lab.fixture.ts'
import { up } from './up.ts'

const never = new AbortController().signal
const quiet = () => undefined

const lab = await openLab({ shop: {}, kiosk: {} })
afterAll(() => lab[Symbol.asyncDispose]())

const opened = async () => (await lab.open()).appliance
const bringUp = async () => up(await opened(), { firstStart: false }, quiet, never)
const stop = async () => down(await opened(), { remember: false }, quiet, never)
const state = async () => status(await opened(), process.pid)

const first = join(lab.stateFolder, 'apps', 'shop.json')
const copy = `${first}.copy`
/** As a power cut leaves a file whose blocks were not written. */
const zero = async (path: string) => writeFile(path, '\u0000'.repeat((await readFile(path, 'utf8')).length))
const releaseOf = async (path: string) =>
  (JSON.parse(await readFile(path, 'utf8')) as { releaseId: string }).releaseId

let release: string
beforeAll(async () => {
  expect((await bringUp()).errors).toEqual([])
  await lab.get('shop', '/letter', 'POST')
  release = await releaseOf(first)
})

describe('while the source has moved on to version 2', () => {
  beforeAll(async () => {
    const compose = join(lab.apps['shop']?.folder ?? '', 'compose.yml')
    await writeFile(compose, (await readFile(compose, 'utf8')).replace('version: "1"', 'version: "2"'))
  })

  it.each([
    ['damaged', () => zero(first)],
    ['set aside by a person', () => rename(first, `${first}.damaged`)],
  ])('a record that is %s gives back the release that ran', async (_way, spoil) => {
    await stop()
    await spoil()
    expect((await bringUp()).errors).toEqual([])
    expect(await state()).toMatchObject({ state: 'running', parts: [] })
    expect(JSON.parse((await lab.get('shop')).body)).toMatchObject({ files: ['letter'] })
    expect([await releaseOf(first), await releaseOf(copy)]).toEqual([release, release])
  })
})

describe('a record that is damaged with its copy', () => {
  const both = () => Promise.all([zero(first), zero(copy)])
  const shopIsDamaged = expect.objectContaining({ part: 'shop', code: 'STATE_DAMAGED' }) as unknown
  let mend: () => Promise<unknown>
  beforeAll(async () => {
    const text = await readFile(first)
    mend = () => writeFile(first, text)
  })

  it('takes nothing from visitors while it is served, and the others are looked after', async () => {
    await both()
    expect(await state()).toMatchObject({ state: 'degraded', exit_code: 3, parts: [shopIsDamaged] })
    expect((await lab.get('shop')).status).toBe(200)
    const { runtime } = await opened()
    const kiosk = (await runtime.status('kiosk', 'web'))?.identity
    if (!kiosk) throw new Error('kiosk does not run')
    await lab.ports.processes.signal(kiosk, 'SIGKILL')
    await lab.ports.processes.waitForExit(kiosk)
    const done = await new UpKeeper().tend(await opened(), never)
    expect(done).toMatchObject([{ app: 'kiosk', did: expect.stringMatching(/noticed|started/) as string }])
    expect((await bringUp()).errors).toMatchObject([{ code: 'STATE_DAMAGED' }])
    expect((await lab.get('kiosk')).status).toBe(200)
  })

  it('does not keep the others from being served after a start, nor the page from saying it', async () => {
    await stop()
    const { errors } = await bringUp()
    expect(errors).toMatchObject([{ code: 'STATE_DAMAGED', why: expect.stringContaining(copy) as string }])
    expect((await lab.get('kiosk')).status).toBe(200)
    const page = await lab.get('shop')
    expect(page.status).toBe(503)
    expect(page.body).toContain('STATE_DAMAGED')
    expect(await state()).toMatchObject({ state: 'degraded', parts: [shopIsDamaged] })
  })

  it('does not hinder service mode, and is forgotten there once it is mended', async () => {
    expect(
      await serviceOn(await opened(), { reason: 'moving', until: undefined }, quiet, never),
    ).toMatchObject({
      exit_code: 0,
    })
    expect(await state()).toMatchObject({ state: 'manual-service', parts: [shopIsDamaged] })
    await mend()
    expect((await bringUp()).errors).toEqual([])
    expect(await state()).toMatchObject({ state: 'manual-service', parts: [] })
    expect((await serviceOff(await opened(), quiet, never)).errors).toEqual([])
    expect(JSON.parse((await lab.get('shop')).body)).toMatchObject({ files: ['letter'] })
    expect(await releaseOf(copy)).toBe(release)
  })
})

it('facts that are lost beside an emptied data volume make no first start: the plan says what up says', async () => {
  await stop()
  const { data } = (await opened()).folders
  await rename(data, `${data}.away`)
  await mkdir(data)
  await rm(join(lab.stateFolder, 'facts.json'))
  const refusal = { code: 'STORAGE_EMPTY' }
  await expect(previewUp(await opened(), { firstStart: false }, never)).rejects.toMatchObject(refusal)
  expect((await bringUp()).errors).toMatchObject([refusal])
  await rm(data, { recursive: true })
  await rename(`${data}.away`, data)
  expect((await bringUp()).errors).toEqual([])
})
