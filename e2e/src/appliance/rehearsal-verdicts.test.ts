import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type TestAppliance, testAppliance } from '../support/appliance.ts'
import { constantLoad } from '../support/constant-load.ts'
import { BAD, GOOD, type GuestbookChange, putGuestbook } from '../support/guestbook-changes.ts'
import { dataOf } from '../support/guestbook-data.ts'
import { type Entry, entriesOf, signOver } from '../support/guestbook-https.ts'
import { ownWorkshop, type Workshop } from '../support/people.ts'

interface Told {
  readonly exit_code: number
  readonly rehearsal: {
    readonly id: string
    readonly verdict: string
    readonly migrates: boolean | null
    readonly failed: { readonly step: string; readonly error: { readonly why: string } } | null
  }
}

let appliance: TestAppliance
let workshop: Workshop
let source: string
/** Production before anything was rehearsed. */
let first: Awaited<ReturnType<typeof production>>
beforeAll(async () => {
  workshop = await ownWorkshop()
  appliance = await testAppliance()
  source = join(appliance.home, 'source')
  await appliance.createConfig()
  await put('1', [])
  await appliance.ok('app', 'add', 'guestbook', source, '--host', 'localhost')
  for (const name of ['Ada Lovelace', 'ada lovelace '])
    await signOver(appliance, { name, message: 'hello' }, { name: 'a.txt', bytes: `a letter of ${name}` })
  first = await production()
}, 300_000)
afterAll(async () => {
  await appliance?.[Symbol.asyncDispose]()
  await workshop?.[Symbol.asyncDispose]()
})

const put = async (version: string, changes: readonly GuestbookChange[]) =>
  putGuestbook(source, await workshop.folder('v1'), version, changes)

const production = async () => ({
  pids: await appliance.pids(),
  data: await dataOf(appliance),
  entries: await entriesOf(appliance),
})

/** Rehearses what the source holds, while production is asked; it stays what it was, and of the clone nothing is left. */
async function rehearse(watch: string): Promise<Told> {
  const entries = await entriesOf(appliance)
  const load = constantLoad(5, () => appliance.request('/entries.json'))
  const told = await appliance.json<Told>('app', 'rehearse', 'guestbook', '--watch', watch)
  const { asked, failed } = await load.stop()
  expect(failed).toEqual([])
  expect(asked).toBeGreaterThan(0)
  expect(await entriesOf(appliance)).toEqual(entries)
  expect(await readdir(join(appliance.state, 'clones')).catch(() => [])).toEqual([])
  return told
}

const said = ({ id, name, message, files }: Entry) => ({ id, name, message, files })

const update = (...words: readonly string[]) =>
  appliance.json<Told & { readonly errors: readonly { readonly code: string }[] }>(
    'app',
    'update',
    'guestbook',
    ...words,
  )

describe('a bad release', () => {
  const bad = BAD.map((each, index) => ({ ...each, version: `2.${index + 1}` }))
  test.each(bad)(
    '$what: found at $step',
    async ({ step, why, change, version }) => {
      await put(version, [change])
      const told = await rehearse('5m')
      expect(told).toMatchObject({ exit_code: 1, rehearsal: { verdict: 'bad' } })
      expect(told.rehearsal.failed?.step.split('/')[1]).toBe(step)
      expect(told.rehearsal.failed?.error.why).toContain(why)
    },
    300_000,
  )

  test('of production nothing has changed by all that: no row, no file, no process', async () => {
    expect(await production()).toEqual(first)
  }, 300_000)

  test.each(bad.filter(({ code }) => code))(
    '$what: taken back with all its data when it is updated all the same',
    async ({ code, change, version }) => {
      await put(version, [change])
      const report = await update('--no-rehearsal', 'a test')
      expect(report).toMatchObject({ exit_code: 4, errors: [{ code }] })
      expect(await dataOf(appliance)).toEqual(first.data)
      expect(await entriesOf(appliance)).toEqual(first.entries)
    },
    300_000,
  )
})

describe('a good release', () => {
  const accepted: GuestbookChange[] = []
  test.each(GOOD.map((each, index) => [...each, `1.${index + 1}`] as const))(
    '%s (migrates: %s): its update comes to the same',
    async (_what, migrates, change, version) => {
      accepted.push(await change())
      await put(version, accepted)
      const told = await rehearse('1s')
      expect(told).toMatchObject({ exit_code: 0, rehearsal: { verdict: 'good', migrates, failed: null } })
      const report = await update()
      expect(report).toMatchObject({ exit_code: 0, to: version, migrates })
      expect(report.rehearsal.id, 'the verdict from before counts').toBe(told.rehearsal.id)
      expect((await entriesOf(appliance)).map(said)).toEqual(first.entries.map(said))
    },
    300_000,
  )

  test('after the files have moved, the way back in code alone is refused', async () => {
    const refused = await appliance.json<Told>('app', 'rollback', 'guestbook')
    expect(refused).toMatchObject({
      error: { code: 'UPDATE_REFUSED', next: expect.stringContaining('--with-data') },
    })
  }, 300_000)
})
