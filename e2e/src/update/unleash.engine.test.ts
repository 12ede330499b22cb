import { cp, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  startTestEngine,
  type TestEngine,
} from '@caretaker/appliance/runtime/docker/testing/engine.fixture.ts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { dockerAppliance } from '../docker/docker-appliance.ts'
import { ROOT, type StatusDocument, type TestAppliance } from '../support/appliance.ts'
import { dataOnBtrfs } from '../support/btrfs.ts'
import { eventually } from '../support/observe.ts'
import { query } from '../support/postgres.ts'
import { secretsOf, type Visitor, visitor } from '../third-party/client.ts'
import { startHub } from '../third-party/hub.ts'
import * as unleash from '../third-party/unleash.ts'
import { databaseUrl, heldInDatabase } from './data.ts'
import { constantLoad, unheld } from './load.ts'

const OLD = '5.12.8'
const NEW = '6.10.1'
/** Of the migrations that the new release brings, one in the middle. */
const HALF_WAY = '20241105123918-add-cascade-for-user-unsubscription'

let appliance: TestAppliance
let flags: Visitor
let source: string
let cookie: string
const disposables = new AsyncDisposableStack()

beforeAll(async () => {
  const hub = disposables.use(await startHub())
  const engine: TestEngine = disposables.use(await startTestEngine('--registry-mirror', hub.url))
  appliance = await dockerAppliance(engine)
  disposables.use(await dataOnBtrfs(appliance))
  disposables.use(appliance)
  flags = visitor(appliance, 'unleash')
  source = join(appliance.home, 'unleash')
  await cp(join(ROOT, 'examples/unleash'), source, { recursive: true })
  await offer((text) => text.replaceAll(NEW, OLD))
  await appliance.ok('app', 'add', 'unleash', source)
  cookie = await unleash.logIn(flags, (await secretsOf(appliance, 'unleash'))['ADMIN_PASSWORD'] ?? '')
}, 900_000)
afterAll(() => disposables.disposeAsync())

/** Puts the example where the source of unleash is, changed. */
async function offer(change: (text: string) => string): Promise<void> {
  const text = await readFile(join(ROOT, 'examples/unleash/compose.yml'), 'utf8')
  await writeFile(join(source, 'compose.yml'), change(text))
}

const version = async () => (await appliance.json<StatusDocument>('status')).apps[0]?.version
const update = () => appliance.run('app', 'update', 'unleash', '--no-rehearsal', 'a test')
const load = () => constantLoad(appliance, { path: '/health', perSecond: 5, host: 'unleash.localhost' })
/** What Unleash counts anew by itself, whenever it likes. */
const RECOUNTED = ['public.projects', 'public.project_stats']

/** Once Unleash has marked what it tells others of as told, which it does about a second after each change. */
async function held() {
  const url = await databaseUrl(appliance, 'unleash')
  await eventually('all events are announced', async () => {
    const unannounced = await query(url, 'select 1 from events where not announced')
    return unannounced.length === 0
  })
  const { schema, rows } = await heldInDatabase(url)
  const written = Object.entries(rows).filter(([table]) => !RECOUNTED.includes(table))
  return { schema, rows: Object.fromEntries(written) }
}

test.each([
  ['its migration fails half-way', `migrateDb(createConfig({}), '${HALF_WAY}')`, 'MIGRATION_FAILED'],
  ['its smoke test fails after the whole migration', undefined, 'SMOKE_FAILED'],
])(
  '%s: 5.12.8 serves again with its data',
  async (_how, run, code) => {
    const name = `made-before-${code.toLowerCase().replaceAll('_', '-')}`
    await unleash.createFlag(flags, cookie, name)
    const before = await held()
    await offer((text) =>
      run === undefined
        ? text.replace('status === 401', 'status === 0')
        : text.replace('migrateDb(createConfig({}))', run),
    )
    const asking = load()
    const ran = await update()
    const { failures, sent } = await asking.stop()
    expect(ran, ran.stderr).toMatchObject({ code: 4 })
    expect(ran.stderr).toContain(code)
    expect(unheld(failures)).toEqual([])
    expect(sent).toBeGreaterThan(10)
    expect(await version()).toBe(OLD)
    const after = await held()
    expect(after.schema).toBe(before.schema)
    expect(after.rows).toEqual(before.rows)
    // With the session of before.
    expect(await unleash.flagNames(flags, cookie)).toContain(name)
  },
  400_000,
)

test(`${OLD} becomes ${NEW} under load as it was rehearsed, and has its flags`, async () => {
  await unleash.createFlag(flags, cookie, 'made-before-the-update')
  await offer((text) => text)
  const asking = load()
  const tried = await appliance.json<Tried>('app', 'rehearse', 'unleash', '--watch', '5s')
  expect(tried.errors).toEqual([])
  expect(tried.rehearsal).toMatchObject({
    verdict: 'good',
    from_version: OLD,
    to_version: NEW,
    migrates: true,
  })
  expect(await version()).toBe(OLD)
  const ran = await appliance.run('app', 'update', 'unleash')
  const { failures } = await asking.stop()
  expect(ran, ran.stderr).toMatchObject({ code: 0 })
  expect(await rehearsals(), 'what was rehearsed is not rehearsed again').toHaveLength(1)
  expect(unheld(failures)).toEqual([])
  expect(await version()).toBe(NEW)
  expect(await unleash.flagNames(flags, cookie)).toEqual(
    expect.arrayContaining(['made-before-the-update', 'made-before-smoke-failed']),
  )
  await unleash.createFlag(flags, cookie, 'made-after-the-update')
}, 700_000)

interface Tried {
  readonly errors: readonly unknown[]
  readonly rehearsal: object | null
}

async function rehearsals(): Promise<readonly string[]> {
  const text = await readFile(join(appliance.state, 'rehearsals/unleash.jsonl'), 'utf8')
  return text.trim().split('\n')
}
