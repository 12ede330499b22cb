import { cp, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ROOT, type TestAppliance, testAppliance } from '../support/appliance.ts'
import { entriesOf, signOver } from '../support/guestbook-https.ts'
import { ownWorkshop, type Workshop } from '../support/people.ts'

interface Told {
  readonly exit_code: number
  readonly rehearsal: {
    readonly verdict: string
    readonly failed: { readonly step: string; readonly error: { readonly why: string } } | null
  }
}

interface Updates {
  readonly updates: readonly { readonly state: string; readonly holds: string; readonly why: string }[]
}

let appliance: TestAppliance
let workshop: Workshop
let source: string
beforeAll(async () => {
  workshop = await ownWorkshop()
  source = await mkdtemp(join(tmpdir(), 'ct-source-'))
  appliance = await testAppliance()
  await appliance.createConfig()
  await put('v1')
  await appliance.ok('app', 'add', 'guestbook', source, '--host', 'localhost')
  await signOver(appliance, { name: 'Ada Lovelace', message: 'one' })
  await signOver(appliance, { name: 'Ada Lovelace', message: 'two' })
}, 300_000)
afterAll(async () => {
  await appliance[Symbol.asyncDispose]()
  await workshop[Symbol.asyncDispose]()
  await rm(source, { recursive: true, force: true })
})

/** Makes the source of guestbook hold another release. */
async function put(release: 'v1' | 'v2' | 'v3' | 'v4'): Promise<void> {
  await rm(source, { recursive: true, force: true })
  await cp(await workshop.folder(release), source, { recursive: true })
}

const production = async () => ({ pids: await appliance.pids(), entries: await entriesOf(appliance) })

test.each([
  ['v3', 'rehearsal.migrate', 'one_entry_per_visitor'],
  ['v4', 'rehearsal.smoke', 'smoke'],
] as const)(
  'guestbook %s is found to be bad on the data of production, which is left alone',
  async (release, step, why) => {
    await put(release)
    const before = await production()
    const told = await appliance.json<Told>('app', 'rehearse', 'guestbook', '--watch', '1s')
    expect(told).toMatchObject({ exit_code: 1, rehearsal: { verdict: 'bad' } })
    expect(told.rehearsal.failed?.step).toContain(step)
    expect(told.rehearsal.failed?.error.why).toContain(why)
    const { updates } = await appliance.json<Updates>('app', 'updates')
    expect(updates).toMatchObject([{ app: 'guestbook', state: 'refused' }])
    expect(await production()).toEqual(before)
  },
  300_000,
)

test('docs/rehearsals.md: every command on it does what it says', async () => {
  await put('v2')
  const page = await readFile(join(ROOT, 'docs/rehearsals.md'), 'utf8')
  const lines = [...page.matchAll(/```sh\n(.*?)```/gs)].flatMap(([, block = '']) => block.trim().split('\n'))
  expect(lines.length).toBeGreaterThanOrEqual(7)
  const before = await production()
  const states: string[] = []
  const said: string[] = []
  for (const line of lines) {
    const [program, ...words] = line.split(' ')
    expect(program).toBe('caretaker')
    if (line === 'caretaker app update guestbook') expect(await production()).toEqual(before)
    said.push((await appliance.ok(...words)).stdout)
    if (words.includes('updates'))
      states.push((await appliance.json<Updates>('app', 'updates')).updates[0]?.state ?? '')
  }
  expect(states).toEqual(['available', 'ready'])
  expect(said.at(4), 'the time to expect').toMatch(/its migration took/)
  expect(said.at(5)).toContain('guestbook runs')
  const after = await entriesOf(appliance)
  expect(after.map(({ id }) => id)).toEqual(before.entries.map(({ id }) => id))
}, 500_000)
