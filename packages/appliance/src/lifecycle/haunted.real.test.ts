import type { MarkedProcess } from '@caretaker/ports/process.ts'
import { isMarkOfApp, markOf } from '@caretaker/ports/process-mark.ts'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { placeOf } from '../runtime/own-processes.ts'
import { serviceKey } from '../runtime/runtime.ts'
import { rollbackApp } from './rollback-app.ts'
import type { Lab } from './testing/lab.fixture.ts'
import { openShop, SHOP, shopSql } from './testing/shop.fixture.ts'
import { updateApp } from './update-app.ts'

const never = new AbortController().signal
const quiet = () => undefined

let lab: Lab
beforeEach(async () => {
  lab = await openShop()
  await lab.apps['shop']?.release('2', { ...SHOP, haunted: true })
})
afterEach(async () => {
  for (const { identity } of await hidden()) await lab.ports.processes.signal(identity, 'SIGKILL')
  await lab[Symbol.asyncDispose]()
})

const update = async () =>
  updateApp(await lab.open(), { app: 'shop', to: undefined, noRehearsal: 'a test' }, quiet, never)
const sales = async () => (await shopSql(lab, 'SELECT what FROM sale ORDER BY id')).map(({ what }) => what)
const files = async () => JSON.parse((await lab.get('shop')).body).files

/** Processes of the shop that descend from none of its services that run. */
async function hidden(): Promise<readonly MarkedProcess[]> {
  const { config, folders, runtime } = (await lab.open()).appliance
  const shop = { appliance: config.id, place: placeOf(folders.processes), app: 'shop' }
  const running = (await runtime.list()).map(({ service, slot }) =>
    markOf({ ...shop, service: serviceKey(service, slot) }),
  )
  return (await lab.ports.processes.findMarked()).filter(
    ({ mark }) => isMarkOfApp(mark, shop) && !running.includes(mark),
  )
}

describe('a migration that leaves writers behind, hidden in sessions of their own without environment', () => {
  it('and fails: they write neither into the files nor into the rows that came back', async () => {
    await lab.apps['shop']?.breakFrom('2', 'migration-fails')
    expect(await update()).toMatchObject({ exit_code: 4, errors: [{ code: 'MIGRATION_FAILED' }] })
    expect(await hidden()).toEqual([])
    expect(await sales()).toEqual(['one', 'two'])
    expect(await files()).toEqual(['letter', 'migrated'])
  })

  it('and succeeds: they write no more when it has ended, nor after a rollback with data', async () => {
    expect(await update()).toMatchObject({ exit_code: 0 })
    expect(await hidden()).toEqual([])
    const made = await sales()
    expect(made).toContain('ghost')
    const options = { app: 'shop', withData: true, confirm: 'shop' }
    expect(await sales()).toEqual(made)
    expect(await rollbackApp(await lab.open(), options, quiet, never)).toMatchObject({ exit_code: 0 })
    expect(await hidden()).toEqual([])
    expect(await sales()).toEqual(['one', 'two'])
    expect(await files()).toEqual(['letter', 'migrated'])
  })
})
