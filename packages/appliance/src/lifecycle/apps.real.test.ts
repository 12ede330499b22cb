import { afterAll, beforeAll, expect, it } from 'vitest'
import { listAppRecords } from './app-records.ts'
import { addApp, type NewApp, previewAddApp, previewRemoveApp, removeApp, restartApp } from './apps.ts'
import { status } from './status.ts'
import { type Lab, openLab } from './testing/lab.fixture.ts'
import { makeTinyApp } from './testing/tiny-app.fixture.ts'
import { up } from './up.ts'

const never = new AbortController().signal
const quiet = () => undefined

let lab: Lab
let wanted: NewApp
beforeAll(async () => {
  lab = await openLab({ shop: {} })
  const { folder } = await makeTinyApp(lab.folder, 'notes', {})
  wanted = {
    name: 'notes',
    source: folder,
    ref: undefined,
    hosts: undefined,
    environment: { GREETING: 'note' },
    workingFolder: lab.folder,
  }
  await up((await lab.open()).appliance, { firstStart: false }, quiet, never)
})
afterAll(() => lab[Symbol.asyncDispose]())

const remove = async (data: boolean, confirm?: string) =>
  removeApp(await lab.open(), { name: 'notes', data, confirm }, quiet, never)
const configText = () => lab.ports.files.readText(lab.configFile)
const notes = async () => JSON.parse((await lab.get('notes')).body)

it('adds an application, as shown, and serves it beside the others', async () => {
  const before = await configText()
  const shown = await previewAddApp(await lab.open(), wanted, never)
  expect(await configText()).toBe(before)
  const report = await addApp(await lab.open(), wanted, quiet, never)
  expect(report).toMatchObject({ exit_code: 0, errors: [] })
  const planned = shown.flatMap(({ steps }) => steps.filter((step) => step.state === 'take'))
  const taken = report.operations.flatMap(({ steps }) => steps.filter((step) => step.state === 'applied'))
  expect(taken.map((step) => step.id)).toEqual(planned.map((step) => step.id))
  expect(await notes()).toMatchObject({ greeting: 'note' })
  expect((await lab.get('shop')).status).toBe(200)
})

it('changes nothing when it cannot be added', async () => {
  const before = await configText()
  const operations = await lab.operations()
  const other = { ...wanted, name: 'other', source: `${lab.folder}/none` }
  await expect(addApp(await lab.open(), wanted, quiet, never)).rejects.toMatchObject({ code: 'APP_EXISTS' })
  await expect(addApp(await lab.open(), other, quiet, never)).rejects.toMatchObject({
    code: 'SOURCE_NOT_FOUND',
  })
  await expect(addApp(await lab.open(), { ...wanted, name: '../x' }, quiet, never)).rejects.toMatchObject({
    code: 'NAME_INVALID',
  })
  expect(await configText()).toBe(before)
  expect(await lab.operations()).toEqual(operations)
})

it('restarts it', async () => {
  const { appliance } = await lab.open()
  const before = await appliance.runtime.status('notes', 'web')
  const report = await restartApp(await lab.open(), 'notes', quiet, never)
  expect(report).toMatchObject({ exit_code: 0, nothing_to_do: false })
  expect((await appliance.runtime.status('notes', 'web'))?.pid).not.toBe(before?.pid)
  expect((await lab.get('notes')).status).toBe(200)
})

it('adds to the config that is there, not to the one that was read before another command', async () => {
  const early = await lab.open()
  await remove(false)
  await addApp(early, { ...wanted, name: 'second' }, quiet, never)
  expect(Object.keys((await lab.open()).appliance.config.applications)).toEqual(['shop', 'second'])
  await removeApp(await lab.open(), { name: 'second', data: true, confirm: 'second' }, quiet, never)
  await addApp(await lab.open(), wanted, quiet, never)
})

it('removes it and keeps its data, which is there when it is added again', async () => {
  await lab.get('notes', '/letter', 'POST')
  const [shown] = await previewRemoveApp(
    await lab.open(),
    { name: 'notes', data: false, confirm: undefined },
    never,
  )
  const report = await remove(false)
  expect(report).toMatchObject({ exit_code: 0 })
  expect(
    report.operations[0]?.steps.filter((step) => step.state === 'applied').map((step) => step.id),
  ).toEqual(shown?.steps.filter((step) => step.state === 'take').map((step) => step.id))
  expect((await lab.open()).appliance.config.applications['notes']).toBeUndefined()
  expect((await lab.getUnverified('notes')).status).toBe(421)
  expect((await lab.get('shop')).status).toBe(200)
  expect(await (await lab.open()).appliance.storage.hasUnit('notes')).toBe(true)
  await addApp(await lab.open(), wanted, quiet, never)
  expect((await notes()).files).toEqual(['letter'])
})

it('deletes the data only when its name is typed', async () => {
  await expect(remove(true)).rejects.toMatchObject({ code: 'APP_NAME_MISMATCH' })
  await expect(remove(true, 'note')).rejects.toMatchObject({ code: 'APP_NAME_MISMATCH' })
  expect((await lab.get('notes')).status).toBe(200)
  expect(await remove(true, 'notes')).toMatchObject({ exit_code: 0 })
  const { appliance } = await lab.open()
  expect(await appliance.storage.hasUnit('notes')).toBe(false)
  expect(await listAppRecords(lab.ports.files, appliance.folders.apps)).toEqual(['shop'])
  await expect(remove(false)).rejects.toMatchObject({ code: 'APP_UNKNOWN' })
  await addApp(await lab.open(), wanted, quiet, never)
  expect((await notes()).files).toEqual([])
})

it('does not start again what a removal that was killed half-way had taken out', async () => {
  const cancel = new AbortController()
  const opened = await lab.open()
  // Cancelled after its first step: the rest is left as a kill leaves it.
  await removeApp(
    opened,
    { name: 'notes', data: false, confirm: undefined },
    (event) => event.type === 'step-applied' && cancel.abort(),
    cancel.signal,
  )
  await up((await lab.open()).appliance, { firstStart: false }, quiet, never)
  expect((await lab.open()).appliance.config.applications['notes']).toBeUndefined()
  const running = await (await lab.open()).appliance.runtime.list()
  expect(running.map(({ app }) => app).toSorted()).toEqual(['-', 'shop'])
  expect(await remove(false)).toMatchObject({ exit_code: 0 })
  expect(await status((await lab.open()).appliance, process.pid)).toMatchObject({ state: 'running' })
})
