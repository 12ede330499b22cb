import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createStorage } from '../storage/create-storage.ts'
import { cloneApp, reportClones } from './clones.ts'
import { rehearseApp } from './rehearse.ts'
import type { Lab } from './testing/lab.fixture.ts'
import { openShop, SHOP } from './testing/shop.fixture.ts'
import { updateApp } from './update-app.ts'

const never = new AbortController().signal
const quiet = () => undefined

let lab: Lab
beforeAll(async () => {
  lab = await openShop()
  await lab.apps['shop']?.release('2', SHOP)
}, 300_000)
afterAll(() => lab[Symbol.asyncDispose]())

/** There was room when that was asked, and none is left of it while the data is copied. */
async function withRoomThatGoes() {
  const opened = await lab.open()
  const { ports, folders, serviceUser } = opened.appliance
  const full = createStorage('directory', ports, {
    root: folders.data,
    ...(serviceUser ? { owner: serviceUser } : {}),
    warnPercent: 80,
    reservePercent: 100,
  })
  const storage = { ...full, reserve: async () => undefined }
  return { ...opened, appliance: { ...opened.appliance, storage } }
}

const TRIALS = {
  'app clone': async () => {
    const wanted = { app: 'shop', name: undefined, ttlMs: 60_000, allowOutside: true }
    return cloneApp((await withRoomThatGoes()).appliance, wanted, quiet, never)
  },
  'app rehearse': async () => {
    const wish = { app: 'shop', to: undefined, allowOutside: true, watchMs: 1000 }
    return rehearseApp(await withRoomThatGoes(), wish, quiet, never)
  },
  'app update': async () => {
    const wish = { app: 'shop', to: undefined, noRehearsal: 'a test' }
    return updateApp(await withRoomThatGoes(), wish, quiet, never)
  },
}

describe('room that goes while data is copied ends the copy: "not now", and nothing of it stays', () => {
  test.each(Object.entries(TRIALS))('%s', { timeout: 300_000 }, async (_, trial) => {
    const before = await lab.get('shop')
    const report = await trial()
    expect(report.errors).toMatchObject([{ code: 'STORAGE_SPACE', exit_code: 75 }])
    expect(report.exit_code).toBe(75)
    const { appliance } = await lab.open()
    expect(await reportClones(appliance)).toEqual([])
    expect(await appliance.storage.listUnits()).toEqual(['shop'])
    expect(await lab.get('shop')).toMatchObject({ status: before.status, body: before.body })
  })
})
