import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { StatusDocument } from '../support/appliance.ts'
import { eventually } from '../support/observe.ts'
import { type DiskBed, openDiskBed, whyNoDisk } from './disk-bed.ts'

const why = whyNoDisk()
/** The daemon tries again every minute; a slow machine takes longer. */
const MENDS_WITHIN_MS = 180_000

describe.skipIf(why !== '')(`an update on a disk that gets full${why && ` (skipped: ${why})`}`, () => {
  let bed: DiskBed
  const version = async () => (await bed.appliance.request('/')).headers['x-version']
  const isWell = async () => (await bed.appliance.json<StatusDocument>('status')).state === 'running'
  beforeAll(async () => {
    bed = await openDiskBed()
    await eventually('it is up', isWell, MENDS_WITHIN_MS)
  }, 300_000)
  afterAll(() => bed?.[Symbol.asyncDispose]())

  test('a migration that fills the disk is taken back: room for that was held', async () => {
    await bed.shop.release('2', { database: true, migrates: true, fault: 'migration-fills-disk' })
    const ran = await bed.appliance.run('app', 'update', 'shop', '--no-rehearsal', 'a test')
    expect(ran.stderr).toContain('no space left on device')
    expect(ran.code).toBe(4)
    expect(await version()).toBe('1')
    expect(await readdir(join(bed.appliance.state, 'data/units/shop'))).not.toContain('room')
  })

  test('a way back that found no room is taken by the daemon as soon as there is some', {
    timeout: 400_000,
  }, async () => {
    const { state } = bed.appliance
    const unit = join(state, 'data/units/shop')
    for (const name of await readdir(join(unit, 'snapshots')))
      if (name.startsWith('failed-')) await rm(join(unit, 'snapshots', name), { recursive: true })
    await bed.shop.release('3', { database: true, migrates: true, fault: 'migration-hangs' })
    const known = await readdir(join(state, 'operations'))
    const { ran } = bed.appliance.start('app', 'update', 'shop', '--no-rehearsal', 'a test')
    await eventually('it migrates', () => isMigrating(state, known))
    // Somebody has removed what was held.
    await rm(join(unit, 'room'))
    await bed.fill()
    const { code, stderr } = await ran
    expect([5, 75], stderr).toContain(code)
    expect((await bed.appliance.request('/')).status).toBe(503)
    await bed.free()
    await eventually('the old release serves', async () => (await version()) === '1', MENDS_WITHIN_MS)
    await eventually(
      'all is well',
      async () => (await bed.appliance.run('status')).code === 0,
      MENDS_WITHIN_MS,
    )
  })
})

/** Whether an update that is none of the `known` ones has begun to migrate. */
async function isMigrating(state: string, known: readonly string[]): Promise<boolean> {
  const folder = join(state, 'operations')
  const fresh = (await readdir(folder)).find(
    (name) => !known.includes(name) && name.includes('-update-shop-'),
  )
  const text = fresh === undefined ? '' : await readFile(join(folder, fresh), 'utf8')
  return /"step-started","at":"[^"]*","step":"shop\/data\.migrate"/.test(text)
}
