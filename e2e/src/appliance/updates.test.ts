import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ROOT, type TestAppliance, testAppliance } from '../support/appliance.ts'
import { constantLoad } from '../support/constant-load.ts'
import { dataOf, type GuestbookData } from '../support/guestbook-data.ts'
import { entriesOf, signOver } from '../support/guestbook-https.ts'
import { eventually } from '../support/observe.ts'
import { ownWorkshop, type Workshop } from '../support/people.ts'

let workshop: Workshop
let appliance: TestAppliance
beforeAll(async () => {
  workshop = await ownWorkshop()
  appliance = await testAppliance()
  await appliance.createConfig()
  const source = [await workshop.repository(), '--ref', 'v1', '--host', 'localhost']
  await appliance.ok('app', 'add', 'guestbook', ...source)
  // Refused by the third release, on real data only.
  for (const message of ['hello', 'again'])
    await signOver(appliance, { name: 'Ada', message }, { name: 'a.txt', bytes: message })
})
afterAll(async () => {
  await appliance?.[Symbol.asyncDispose]()
  await workshop?.[Symbol.asyncDispose]()
})

/** {@link dataOf} it when the worker has nothing to do any more: the same three times in a row. */
async function whenQuiet() {
  const seen = [JSON.stringify(await dataOf(appliance))]
  await eventually('the worker has done its work', async () => {
    seen.push(JSON.stringify(await dataOf(appliance)))
    return seen.slice(-3).length === 3 && new Set(seen.slice(-3)).size === 1
  })
  return JSON.parse(seen.at(-1) ?? '') as GuestbookData
}

/** Sends numbers one after the other, and requests at a rate, until it is stopped; tells what was acknowledged and what failed. */
function visitors(perSecond: number) {
  const acknowledged: number[] = []
  let isOver = false
  const writer = (async () => {
    for (let n = Date.now(); !isOver; n += 1) {
      const body = JSON.stringify({ n, body: Buffer.from(`number ${n}`).toString('base64') })
      const headers = { 'content-type': 'application/json' }
      const reply = await appliance
        .request('/numbers', { method: 'POST', headers, send: Buffer.from(body) })
        .catch(() => undefined)
      if (reply?.status === 201 || reply?.status === 200) acknowledged.push(n)
    }
  })()
  const readers = constantLoad(perSecond, () => appliance.request('/health'))
  return {
    async stop() {
      isOver = true
      await writer
      return { acknowledged, ...(await readers.stop()) }
    },
  }
}

async function missing(acknowledged: readonly number[]): Promise<readonly number[]> {
  const { numbers } = JSON.parse((await appliance.request('/numbers.json')).body) as {
    numbers: readonly { n: number }[]
  }
  const there = new Set(numbers.map(({ n }) => n))
  const verified = JSON.parse((await appliance.request('/numbers/verify')).body)
  expect(verified).toMatchObject({ missing: [], mismatched: [] })
  return acknowledged.filter((n) => !there.has(n))
}

describe.each([
  ['v3', 'whose migration fails half-way', 'MIGRATION_FAILED'],
  ['v4', 'that answers 500', 'SMOKE_FAILED'],
  ['v5', 'that is never healthy', 'SERVICE_UNHEALTHY'],
])('an update to %s, %s', (to, _what, code) => {
  test('is taken back: schema, every row and every file are those of before', async () => {
    const before = await whenQuiet()
    const entries = await entriesOf(appliance)
    const ran = await appliance.run(
      'app',
      'update',
      'guestbook',
      '--to',
      to,
      '--no-rehearsal',
      'a test',
      '--json',
    )
    expect(JSON.parse(ran.stdout)).toMatchObject({ exit_code: 4, errors: [{ code }] })
    expect(ran.code).toBe(4)
    expect(await dataOf(appliance)).toEqual(before)
    expect(await entriesOf(appliance)).toEqual(entries)
    expect((await appliance.run('app', 'history', 'guestbook')).stdout).toContain('undone')
  })

  // The last one takes longest, and would show nothing new.
  test.skipIf(to === 'v5')('under writers loses nothing that was acknowledged', async () => {
    const load = visitors(0)
    const ran = await appliance.run('app', 'update', 'guestbook', '--to', to, '--no-rehearsal', 'a test')
    expect(ran.code).toBe(4)
    const { acknowledged } = await load.stop()
    expect(acknowledged.length).toBeGreaterThan(0)
    expect(await missing(acknowledged)).toEqual([])
  })
})

test('docs/updates.md: every command on it does what it says, under writers, and nothing acknowledged before the way back is lost', async () => {
  const page = await readFile(join(ROOT, 'docs/updates.md'), 'utf8')
  const lines = [...page.matchAll(/```sh\n(.*?)```/gs)].flatMap(([, block = '']) => block.trim().split('\n'))
  expect(lines.length).toBeGreaterThanOrEqual(6)
  for (const line of lines) {
    const [program, ...words] = line.split(' ')
    expect(program).toBe('caretaker')
    const isUpdate = words[1] === 'update' && !words.includes('--dry-run')
    const load = visitors(isUpdate ? 20 : 0)
    await appliance.ok(...words, ...(words[1] === 'update' ? ['--no-rehearsal', 'a page'] : []))
    const { acknowledged, failed } = await load.stop()
    if (isUpdate) {
      expect(failed).toEqual([])
      expect(await missing(acknowledged)).toEqual([])
      expect((await appliance.run('config', 'show')).stdout).toMatch(/guestbook\.ref\s+\S+\s+"v2"/)
    }
  }
  const { releases } = await appliance.json<{ releases: unknown }>('app', 'history', 'guestbook')
  expect(releases).toMatchObject([
    { kind: 'start', version: '1' },
    { kind: 'update', version: '2', migrated: true },
    { kind: 'rollback', version: '1' },
  ])
}, 400_000)

test('twenty releases in a row that migrate nothing: no request of a constant load fails', async () => {
  const folder = await workshop.folder('v1')
  await appliance.ok('app', 'add', 'other', folder, '--host', 'other.localhost')
  const compose = join(folder, 'compose.yml')
  // Without a migration of its own a release is asked nothing.
  const text = (await readFile(compose, 'utf8')).replace(/^ {2}migrate: .*\n/m, '')
  const headers = { host: `other.localhost:${appliance.port}` }
  const load = constantLoad(50, () =>
    appliance.request('/health', { servername: 'other.localhost', headers }),
  )
  for (let release = 1; release <= 20; release += 1) {
    await writeFile(compose, text.replace('version: "1"', `version: "1.${release}"`))
    const report = await appliance.json('app', 'update', 'other', '--no-rehearsal', 'a test')
    expect(report).toMatchObject({ exit_code: 0, to: `1.${release}`, migrates: false })
  }
  const { asked, failed } = await load.stop()
  expect(failed).toEqual([])
  expect(asked).toBeGreaterThan(500)
}, 900_000)

test('a release that does not stay up soon after its update goes back by itself, with what was written since', async () => {
  const folder = await workshop.folder('v2')
  const crash = join(appliance.home, 'crash')
  const added = ['app', 'add', 'shaky', folder, '--host', 'shaky.localhost']
  await appliance.ok(...added)
  const server = await readFile(join(folder, 'server.mjs'), 'utf8')
  const ending = `import { existsSync } from 'node:fs'\nsetInterval(() => existsSync(${JSON.stringify(crash)}) && process.exit(3), 50)\n`
  await writeFile(join(folder, 'server.mjs'), `${ending}${server}`)
  await appliance.ok('app', 'update', 'shaky', '--no-rehearsal', 'a test')
  const running = async () =>
    (await appliance.json<{ release: { pin: string } }>('app', 'show', 'shaky')).release.pin
  const shaky = await running()
  const daemon = await appliance.daemon()
  await writeFile(crash, '')
  await eventually('the release before runs again', async () => (await running()) !== shaky)
  const headers = { host: `shaky.localhost:${appliance.port}` }
  await eventually('and serves', async () => {
    const answer = await appliance.request('/health', { servername: 'shaky.localhost', headers })
    return answer.status === 200
  })
  const { releases } = await appliance.json<{ releases: readonly { kind: string; why?: string }[] }>(
    'app',
    'history',
    'shaky',
  )
  expect(releases.map(({ kind }) => kind)).toEqual(['start', 'update', 'rollback'])
  expect(releases.at(-1)?.why).toContain('is in a crash loop')
  await daemon.stop()
}, 300_000)
