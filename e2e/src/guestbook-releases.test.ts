import { execFile } from 'node:child_process'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { type Installation, installGuestbook } from './support/guestbook.ts'
import { addNumber, filesIn, json, sign } from './support/guestbook-client.ts'
import { query, startTestPostgres, type TestPostgres } from './support/postgres.ts'
import { buildReleases, type Releases } from './support/releases.ts'

const MAKE = fileURLToPath(new URL('../../examples/guestbook-releases/make.mjs', import.meta.url))
const run = promisify(execFile)

let postgres: TestPostgres
let releases: Releases
beforeAll(async () => {
  ;[postgres, releases] = await Promise.all([startTestPostgres(), buildReleases()])
})
afterAll(async () => {
  await postgres[Symbol.asyncDispose]()
  await releases[Symbol.asyncDispose]()
})

async function installation(): Promise<{ url: string; guestbook: Installation }> {
  const url = await postgres.createDatabase()
  const guestbook = await installGuestbook(url, releases)
  onTestFinished(() => guestbook[Symbol.asyncDispose]())
  return { url, guestbook }
}

async function migratedV1() {
  const { url, guestbook } = await installation()
  expect(await guestbook.command('v1', ['migrate.mjs'])).toMatchObject({ code: 0 })
  return { url, guestbook, web: await guestbook.serve('v1') }
}

describe('the releases after v1', () => {
  async function v1WithData() {
    const installed = await migratedV1()
    const { web } = installed
    await sign(web.url, { name: 'Ada', message: 'one' }, { name: 'a.txt', bytes: 'a' })
    await sign(web.url, { name: 'ada', message: 'two' })
    for (const n of [1, 2, 3]) await addNumber(web.url, n)
    await web.stop()
    return installed
  }

  test('v2 migrates real data, rows and files, and uses it', async () => {
    const { guestbook } = await v1WithData()
    expect((await guestbook.command('v2', ['migrate.mjs', '--check'])).code).toBe(10)
    expect(await guestbook.command('v2', ['migrate.mjs'])).toMatchObject({ code: 0 })
    const web = await guestbook.serve('v2')
    expect(await json(`${web.url}/version`)).toEqual({ release: '2', schema: 5 })
    expect((await addNumber(web.url, 4)).status).toBe(200)
    expect(await json(`${web.url}/numbers/verify`)).toMatchObject({
      ok: true,
      rows: 4,
      uploads: { rows: 1, missing: [] },
    })
    for (const file of await filesIn(guestbook.filesFolder)) expect(file).toMatch(/^[0-9a-f]{2}\//)
    const ofAda = await (await fetch(`${web.url}/?from=ADA`)).text()
    expect(ofAda.match(/<article/g)).toHaveLength(2)
    const applauded = await fetch(`${web.url}/entries/1/applause`, { method: 'POST', redirect: 'manual' })
    expect(applauded.status).toBe(303)
    expect(await (await fetch(web.url)).text()).toContain('Applaud (1)')
    const reach = { WEB_URL: web.url }
    expect(await guestbook.command('v2', ['smoke.mjs'], reach)).toMatchObject({ code: 0 })
    expect(await guestbook.command('v2', ['acceptance.mjs'], reach)).toMatchObject({ code: 0 })

    const old = await guestbook.serve('v1')
    expect((await json(`${old.url}/health`)).reason).toContain(
      '003_visitors.sql, which this release does not know',
    )
  })

  test('v3 fails half-way: rows and files are changed already, and v2 cannot go on', async () => {
    const { url, guestbook } = await v1WithData()
    await guestbook.command('v2', ['migrate.mjs'])
    const failed = await guestbook.command('v3', ['migrate.mjs'])
    expect(failed.code).toBe(1)
    expect(failed.output).toMatch(
      /applied 006_.*applied 007_.*008_one_entry_per_visitor\.sql: could not create unique index/s,
    )
    expect(await query(url, 'select body from entries where id = 1')).toEqual([{ body: 'one' }])
    expect(await guestbook.command('v3', ['migrate.mjs', '--check'])).toMatchObject({ code: 10 })
    const old = await guestbook.serve('v2')
    expect((await fetch(`${old.url}/health`)).status).toBe(503)
    expect((await json(`${old.url}/numbers/verify`)).mismatched).toEqual([1, 2, 3])
  })

  test('v3 works where no two visitors have one name', async () => {
    const { guestbook } = await installation()
    expect(await guestbook.command('v3', ['migrate.mjs'])).toMatchObject({ code: 0 })
    const web = await guestbook.serve('v3')
    expect((await sign(web.url, { name: 'Ada', message: 'one' }, { name: 'a', bytes: 'aaa' })).status).toBe(
      303,
    )
    expect((await sign(web.url, { name: 'ADA', message: 'two' }, { name: 'b', bytes: 'bbb' })).status).toBe(
      409,
    )
    expect((await addNumber(web.url, 1)).status).toBe(200)
    expect(await json(`${web.url}/numbers/verify`)).toMatchObject({ ok: true, rows: 1, uploads: { rows: 1 } })
    expect(await filesIn(guestbook.filesFolder)).toHaveLength(2)
    expect(await guestbook.command('v3', ['acceptance.mjs'], { WEB_URL: web.url })).toMatchObject({ code: 0 })
  })

  test('v4 is healthy and answers 500 to all else, so that only the smoke test finds it', async () => {
    const { guestbook } = await v1WithData()
    await guestbook.command('v2', ['migrate.mjs'])
    expect(await guestbook.command('v4', ['migrate.mjs', '--check'])).toMatchObject({ code: 0 })
    const web = await guestbook.serve('v4')
    expect((await fetch(`${web.url}/health`)).status).toBe(200)
    for (const path of ['/', '/entries.json', '/version', '/style.css']) {
      expect((await fetch(`${web.url}${path}`)).status).toBe(500)
    }
    const smoke = await guestbook.command('v4', ['smoke.mjs'], { WEB_URL: web.url })
    expect(smoke.code).toBe(1)
    expect(smoke.output.trim()).toMatch(
      /^smoke test failed: GET \/version answered 500 instead of 200 \("Sorry \(500\) Something went wrong; [^"]*"\)$/,
    )
  })

  test('v5 is never healthy', async () => {
    const { guestbook } = await v1WithData()
    expect(await guestbook.command('v5', ['migrate.mjs'])).toMatchObject({ code: 0 })
    const web = await guestbook.serve('v5')
    const health = await fetch(`${web.url}/health`)
    expect(health.status).toBe(503)
    expect(await health.json()).toEqual({ ok: false, reason: 'the cache of visitors is still being filled' })
  })

  test('become a git repository with a tag each, the same on every machine', async () => {
    const folders = ['a', 'b'].map((name) => join(tmpdir(), `ct-guestbook-git-${process.pid}-${name}`))
    onTestFinished(() =>
      Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true }))).then(() => {}),
    )
    const tags = await Promise.all(
      folders.map(async (folder) => {
        await run(process.execPath, [MAKE, '--git', folder])
        const { stdout } = await run('git', [
          '-C',
          folder,
          'for-each-ref',
          '--format=%(refname:short) %(objectname)',
          'refs/tags',
        ])
        return stdout.trim().split('\n')
      }),
    )
    expect(tags[0]!.map((line) => line.split(' ')[0])).toEqual(['v1', 'v2', 'v3', 'v4', 'v5'])
    expect(tags[1]).toEqual(tags[0])
    for (const release of ['v1', 'v2', 'v3', 'v4', 'v5']) {
      const { stdout } = await run('git', [
        '-C',
        folders[0]!,
        'show',
        `${release}:compose.yml`,
        `${release}:src/release.mjs`,
      ])
      expect(stdout).toContain(`version: "${release.slice(1)}"`)
      expect(stdout).toContain(`release = '${release.slice(1)}'`)
    }
    const { stdout: last } = await run('git', ['-C', folders[0]!, 'ls-tree', '-r', '--name-only', 'v5'])
    expect(last).not.toMatch(/006_|node_modules/)
  })
})
