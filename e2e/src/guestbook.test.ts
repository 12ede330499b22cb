import { once } from 'node:events'
import { readdir, readFile, rm, truncate, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { type Installation, installGuestbook } from './support/guestbook.ts'
import { addNumber, filesIn, json, readEvents, sign, slowUpload, until } from './support/guestbook-client.ts'
import { query, startTestPostgres, type TestPostgres } from './support/postgres.ts'
import { buildReleases, type Releases } from './support/releases.ts'

/** stop_grace_period of its compose file. */
const GRACE_MS = 10_000

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

describe('release v1', () => {
  test('says that migrations are pending, is not healthy before them, and is after them', async () => {
    const { guestbook } = await installation()
    const web = await guestbook.serve('v1')
    const before = await fetch(`${web.url}/health`)
    expect(before.status).toBe(503)
    expect(await before.json()).toMatchObject({
      ok: false,
      reason: expect.stringContaining('001_guestbook.sql'),
    })
    expect(await guestbook.command('v1', ['migrate.mjs', '--check'])).toMatchObject({ code: 10 })

    const both = await Promise.all([1, 2].map(() => guestbook.command('v1', ['migrate.mjs'])))
    expect(both.map(({ code }) => code)).toEqual([0, 0])
    expect(await guestbook.command('v1', ['migrate.mjs', '--check'])).toMatchObject({ code: 0 })
    expect((await fetch(`${web.url}/health`)).status).toBe(200)
    expect(await json(`${web.url}/version`)).toEqual({ release: '1', schema: 2 })
  })

  test('refuses to migrate a database whose applied migration is another one', async () => {
    const { url, guestbook } = await installation()
    await guestbook.command('v1', ['migrate.mjs'])
    await query(url, `update schema_migrations set sha256 = 'other' where name like '001%'`)
    const refused = await guestbook.command('v1', ['migrate.mjs'])
    expect(refused.code).toBe(1)
    expect(refused.output).toContain('001_guestbook.sql was changed after it had been applied')
    expect((await guestbook.command('v1', ['migrate.mjs', '--check'])).code).toBe(1)
  })

  test('keeps entries and their files over restarts, shows them escaped, and lets only their author delete', async () => {
    const { guestbook, web } = await migratedV1()
    const bytes = 'x'.repeat(300_000)
    const signed = await sign(
      web.url,
      { name: '<b>Ada', message: 'first\r\nline & more' },
      { name: "ä 'x' (1).html", bytes },
    )
    expect(signed.status).toBe(303)
    expect(signed.headers.get('set-cookie')).toMatch(/HttpOnly; SameSite=Lax; Secure/)
    expect((await sign(web.url, { name: 'Bob', message: ' ' })).status).toBe(422)
    const asJson = await fetch(`${web.url}/entries`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ name: 'Eve', message: 'JSON' }),
    })
    expect(asJson.status).toBe(201)
    const { id } = (await asJson.json()) as { id: number }

    expect(await web.stop()).toMatchObject({ code: 0 })
    await postgres.restart()
    const again = await guestbook.serve('v1')
    const page = await fetch(again.url)
    const text = await page.text()
    expect(page.headers.get('content-security-policy')).toContain("default-src 'none'; script-src 'self'")
    expect(text).toContain('&lt;b&gt;Ada')
    expect(text).not.toContain('<b>Ada')
    expect(text).toContain('Our &lt;guests&gt;')
    const { entries } = await json(`${again.url}/entries.json?after=0&limit=10`)
    expect(entries.map((entry) => entry.name)).toEqual(['<b>Ada', 'Eve'])
    expect(entries[1]?.id).toBe(id)
    const file = await fetch(`${again.url}/files/${entries[0]!.files[0]!.id}`)
    expect(file.headers.get('content-type')).toBe('application/octet-stream')
    expect(file.headers.get('content-disposition')).toBe(
      `attachment; filename*=UTF-8''%C3%A4%20%27x%27%20%281%29.html`,
    )
    expect(await file.text()).toBe(bytes)

    const cookie = signed.headers.get('set-cookie')!.split(';')[0]!
    const forged = cookie.replace(/.$/, (last) => (last === 'A' ? 'E' : 'A'))
    const remove = (headers: Record<string, string>) =>
      fetch(`${again.url}/entries/${entries[0]!.id}`, { method: 'DELETE', headers })
    expect((await remove({})).status).toBe(403)
    expect((await remove({ cookie: forged })).status).toBe(403)
    expect((await remove({ cookie, 'sec-fetch-site': 'cross-site' })).status).toBe(403)
    expect((await remove({ cookie })).status).toBe(204)
    expect(await filesIn(guestbook.filesFolder)).toEqual([])
  })

  test('pages through many entries, newest first', async () => {
    const { url, web } = await migratedV1()
    await query(url, `insert into entries (name, message) select 'n' || i, 'm' from generate_series(1, 45) i`)
    const first = await (await fetch(web.url)).text()
    expect(first.indexOf('>n45<')).toBeGreaterThan(0)
    expect(first.indexOf('>n45<')).toBeLessThan(first.indexOf('>n26<'))
    const older = /href="(\/\?before=\d+)"/.exec(first)![1]!
    const second = await (await fetch(`${web.url}${older}`)).text()
    expect(second).toContain('>n25<')
    expect(second).not.toContain('>n26<')
  })

  test('announces entries of every process, and resumes after the last one seen', async () => {
    const { guestbook, web } = await migratedV1()
    const other = await guestbook.serve('v1')
    const names = await readEvents(`${web.url}/events`, 2, {}, async () => {
      await sign(web.url, { name: 'one', message: 'm' })
      await sign(other.url, { name: 'two', message: 'm' })
    })
    expect(names).toEqual(['one', 'two'])
    expect(await readEvents(`${other.url}/events`, 1, { 'last-event-id': '1' })).toEqual(['two'])

    const afterRestart = await readEvents(`${web.url}/events`, 1, {}, async () => {
      await postgres.restart()
      await until(
        'an entry can be written',
        async () => (await sign(other.url, { name: 'three', message: 'm' })).status === 303,
      )
    })
    expect(afterRestart).toEqual(['three'])
  })

  test('streams a slow upload, and leaves nothing of one that breaks off', async () => {
    const { guestbook, web } = await migratedV1()
    const upload = slowUpload(web.url)
    upload.write(
      '--b\r\ncontent-disposition: form-data; name="name"\r\n\r\nSlow\r\n--b\r\ncontent-disposition: form-data; name="message"\r\n\r\nm\r\n',
    )
    upload.write('--b\r\ncontent-disposition: form-data; name="file"; filename="f.bin"\r\n\r\n')
    upload.write('a'.repeat(200_000))
    const incoming = join(guestbook.filesFolder, 'incoming')
    await until('the first part is on disk', async () => (await readdir(incoming)).length === 1)
    upload.destroy()
    await until('the part is gone', async () => (await readdir(incoming)).length === 0)
    expect((await json(`${web.url}/entries.json`)).entries).toEqual([])
    expect(await filesIn(guestbook.filesFolder)).toEqual([])
    expect((await fetch(`${web.url}/health`)).status).toBe(200)
  })

  test('stops at once when told, ends live pages, and finishes the requests it has', async () => {
    const { url, guestbook, web } = await migratedV1()
    const events = await fetch(`${web.url}/events`)
    const nearlyDone = slowUpload(web.url)
    nearlyDone.write('--b\r\ncontent-disposition: form-data; name="name"\r\n\r\nLast\r\n')
    nearlyDone.write('--b\r\ncontent-disposition: form-data; name="file"; filename="g"\r\n\r\nnearly done')
    const incoming = join(guestbook.filesFolder, 'incoming')
    await until('the upload has begun', async () => (await readdir(incoming)).length === 1)
    const stopping = web.stop()
    await until('it has heard the signal', async () => web.output().includes('SIGTERM'))
    const answered = once(nearlyDone, 'response')
    nearlyDone.end('\r\n--b\r\ncontent-disposition: form-data; name="message"\r\n\r\nm\r\n--b--\r\n')
    expect((await answered)[0].statusCode).toBe(303)
    expect(await query(url, 'select name from entries')).toEqual([{ name: 'Last' }])
    expect((await stopping).code).toBe(0)
    await events.text()
  })

  test('stops within its grace time although a request never ends', async () => {
    const { guestbook, web } = await migratedV1()
    const endless = slowUpload(web.url)
    endless.write('--b\r\ncontent-disposition: form-data; name="file"; filename="f"\r\n\r\nnever ends')
    const incoming = join(guestbook.filesFolder, 'incoming')
    await until('the upload has begun', async () => (await readdir(incoming)).length === 1)
    const { code, ms } = await web.stop()
    expect(code).toBe(0)
    expect(ms).toBeLessThan(GRACE_MS)
  })

  test('acknowledges a number once, and finds every file that is missing or damaged', async () => {
    const { guestbook, web } = await migratedV1()
    const answers = await Promise.all([1, 2, 3, 3].map((n) => addNumber(web.url, n)))
    expect(answers.map(({ status }) => status).sort((a, b) => a - b)).toEqual([200, 200, 200, 409])
    const { numbers } = await json(`${web.url}/numbers.json`)
    expect(numbers.map((each) => each.n)).toEqual([1, 2, 3])
    expect(numbers[0]!.sha256).toMatch(/^[0-9a-f]{64}$/)
    expect(await json(`${web.url}/numbers/verify`)).toMatchObject({
      ok: true,
      rows: 3,
      missing: [],
      mismatched: [],
    })
    const files = await filesIn(guestbook.filesFolder)
    expect(files).toHaveLength(3)
    await rm(join(guestbook.filesFolder, files[0]!))
    await truncate(join(guestbook.filesFolder, files[1]!), 3)
    const found = await json(`${web.url}/numbers/verify`)
    expect(found).toMatchObject({ ok: false, rows: 3 })
    expect([found.missing.length, found.mismatched.length]).toEqual([1, 1])
  })

  test('survives a restart of Postgres, and says 503 while it is away', async () => {
    const { web } = await migratedV1()
    await Promise.all([1, 2, 3].map(() => fetch(web.url)))
    await postgres.stop()
    const health = await fetch(`${web.url}/health`)
    expect(health.status).toBe(503)
    expect(await health.json()).toMatchObject({ reason: expect.stringContaining('does not answer') })
    expect((await addNumber(web.url, 1)).status).toBe(503)
    await postgres.restart()
    expect((await fetch(`${web.url}/health`)).status).toBe(200)
    expect((await addNumber(web.url, 1)).status).toBe(200)
  })

  test('its commands do what the compose file says', async () => {
    const { url, guestbook, web } = await migratedV1()
    await sign(web.url, { name: 'Ada Lovelace', message: 'hello' }, { name: 'a.txt', bytes: 'a' })
    const reach = { WEB_URL: web.url }
    expect(await guestbook.command('v1', ['smoke.mjs'], reach)).toMatchObject({ code: 0 })
    expect(await guestbook.command('v1', ['acceptance.mjs'], reach)).toMatchObject({ code: 0 })
    expect(await guestbook.command('v1', ['healthcheck.mjs'], { PORT: new URL(web.url).port })).toMatchObject(
      { code: 0 },
    )
    expect(JSON.parse((await guestbook.command('v1', ['count.mjs'])).output)).toEqual({
      entries: 1,
      uploads: 1,
      numbers: 0,
    })

    const user = {
      CARETAKER_USER_EMAIL: 'g@example.invalid',
      CARETAKER_USER_FIRST: 'Grace',
      CARETAKER_USER_LAST: 'Hopper',
    }
    for (let time = 0; time < 2; time++)
      expect((await guestbook.command('v1', ['first-user.mjs'], user)).code).toBe(0)
    expect(await (await fetch(web.url)).text()).toContain('Kept by Grace Hopper.')
    expect(await query(url, 'select email from users')).toHaveLength(1)

    const card = await (await fetch(`${web.url}/cards/1.svg`)).text()
    expect(card).toContain('>AL</text>')
    await rm(guestbook.cardsFolder, { recursive: true })
    expect(await (await fetch(`${web.url}/cards/1.svg`)).text()).toBe(card)
    await rm(guestbook.cardsFolder, { recursive: true })
    expect((await guestbook.command('v1', ['rebuild-thumbs.mjs'])).output).toContain('made 1 cards')
    expect(await readdir(guestbook.cardsFolder)).toEqual(['1.svg'])

    await writeFile(join(guestbook.filesFolder, 'orphan'), 'x')
    expect((await guestbook.command('v1', ['tidy.mjs'])).output).toContain('removed 0 files')
    for (const name of await filesIn(guestbook.filesFolder))
      await utimes(join(guestbook.filesFolder, name), 1, 1)
    expect((await guestbook.command('v1', ['tidy.mjs'])).output).toContain('removed 1 files')
    expect(await json(`${web.url}/numbers/verify`)).toMatchObject({
      ok: true,
      uploads: { rows: 1, missing: [] },
    })

    const worker = await guestbook.serve('v1', 'worker.mjs')
    await until(
      'the worker has counted',
      async () => (await query(url, 'select 1 from daily_counts')).length === 1,
    )
    expect(await worker.stop()).toMatchObject({ code: 0 })

    const scrub = fileURLToPath(new URL('../../examples/guestbook/scrub.sql', import.meta.url))
    await query(url, await readFile(scrub, 'utf8'))
    expect(await query(url, 'select email from users')).toEqual([{ email: 'user1@example.invalid' }])
  })
})
