import { withOperationLock } from '@caretaker/steps/operation-lock.ts'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { reportClones } from './clones.ts'
import { rehearseApp } from './rehearse.ts'
import { rollbackApp } from './rollback-app.ts'
import { stopOperation } from './stop-operation.ts'
import type { Lab } from './testing/lab.fixture.ts'
import { openShop, SHOP } from './testing/shop.fixture.ts'
import { updateApp } from './update-app.ts'

const never = new AbortController().signal
const quiet = () => undefined
const HOURS_MS = 5 * 3_600_000

let lab: Lab
beforeAll(async () => {
  lab = await openShop()
})
afterAll(() => lab[Symbol.asyncDispose]())

const appliance = async () => (await lab.open()).appliance
const rollback = async () =>
  rollbackApp(await lab.open(), { app: 'shop', withData: false, confirm: undefined }, quiet, never)

it('says that nothing is under way, or what is that ends in another way', async () => {
  const here = await appliance()
  await expect(stopOperation(here, never)).rejects.toMatchObject({
    code: 'OPERATION_NOT_RUNNING',
    exitCode: 1,
  })
  const { ports, stateFolder, actor, pid } = here
  const job = { actor, pid, purpose: 'job tidy', stop: 'caretaker job stop tidy' }
  await withOperationLock(ports, stateFolder, job, async () => {
    await expect(stopOperation(here, never)).rejects.toMatchObject({
      code: 'OPERATION_NOT_STOPPABLE',
      next: 'caretaker job stop tidy',
    })
  })
})

it('ends a rehearsal that somebody else has begun: its clone is gone, and what was refused goes on', async () => {
  await lab.apps['shop']?.release('2', { ...SHOP, migrates: false })
  const wish = { app: 'shop', to: undefined, watchMs: 0 }
  expect(await updateApp(await lab.open(), { ...wish, noRehearsal: 'a test' }, quiet, never)).toMatchObject({
    exit_code: 0,
  })
  await lab.apps['shop']?.release('3', SHOP)
  let isWatched: () => void
  const watched = new Promise<void>((resolve) => {
    isWatched = resolve
  })
  const rehearsing = rehearseApp(
    await lab.open(),
    { ...wish, allowOutside: false, watchMs: HOURS_MS },
    (event) => {
      if (event.type === 'step-started' && event.step.endsWith('rehearsal.watch')) isWatched()
    },
    never,
  )
  await watched
  await expect(rollback()).rejects.toMatchObject({
    code: 'LOCKED',
    next: expect.stringContaining('"caretaker operation stop"'),
  })
  expect(await stopOperation(await appliance(), never)).toMatchObject({ purpose: 'rehearse shop' })
  expect(await rehearsing).toMatchObject({
    exit_code: 130,
    rehearsal: null,
    errors: [
      {
        code: 'CANCELLED',
        why: 'tester asked for it: "caretaker operation stop"',
        next: expect.stringContaining('shop runs 2 as before'),
      },
    ],
  })
  expect(await reportClones(await appliance())).toEqual([])
  expect(await rollback()).toMatchObject({ exit_code: 0 })
})
