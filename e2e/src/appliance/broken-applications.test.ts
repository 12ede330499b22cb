import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { escapeHtml } from '@caretaker/kernel/html.ts'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type StatusDocument, type TestAppliance } from '../support/appliance.ts'
import { type GuestbookAppliance, guestbookAppliance } from '../support/guestbook-appliance.ts'
import { entriesOf, signOver, unique } from '../support/guestbook-https.ts'

/** What breaks, in which release, and what a person reads of it. */
const BROKEN = [
  {
    release: 'v4',
    breaks: 'starts but fails its smoke test',
    code: 'SMOKE_FAILED',
    exit: 5,
    says: /smoke test failed: GET \/version answered 500 instead of 200/,
  },
  {
    release: 'v5',
    breaks: 'is never healthy',
    code: 'SERVICE_UNHEALTHY',
    exit: 5,
    says: /the cache of visitors is still being filled/,
  },
] as const

let guestbook: GuestbookAppliance
let appliance: TestAppliance
beforeAll(async () => {
  guestbook = await guestbookAppliance()
  appliance = guestbook.appliance
  await signOver(appliance, { name: unique('Ada'), message: 'hello' })
  // As it is, release 5 is given up after 70 s; 30 s is the least.
  const compose = join(await guestbook.workshop.folder('v5'), 'compose.yml')
  const impatient = (await readFile(compose, 'utf8'))
    .replace('interval: 5s', 'interval: 1s')
    .replace('retries: 6', 'retries: 2')
    .replace('start_period: 10s', 'start_period: 1s')
  await writeFile(compose, impatient)
})
afterAll(() => guestbook?.[Symbol.asyncDispose]())

describe.each(BROKEN)('an application that $breaks', ({ release, code, exit, says }) => {
  const name = `broken-${release}`
  const host = `${name}.localhost`

  test(`is not served: ${code}, exit ${exit}; the others are not disturbed`, async () => {
    const pids = await appliance.pids()
    const entries = await entriesOf(appliance)
    const adding = appliance.run('app', 'add', name, await guestbook.workshop.folder(release), '--host', host)
    const seen = { asked: 0, served: 0 }
    const watching = (async () => {
      let ended = false
      void adding.finally(() => {
        ended = true
      })
      while (!ended) {
        seen.asked += 1
        const reply = await appliance.request('/health')
        if (reply.status === 200) seen.served += 1
      }
    })()
    const ran = await adding
    await watching

    expect(ran.code).toBe(exit)
    expect(ran.stderr).toContain(`code: ${code}, exit ${exit}`)
    expect(ran.stderr).toMatch(says)
    expect(ran.stdout).toBe('')
    expect(seen.asked).toBeGreaterThan(10)
    expect(seen.served).toBe(seen.asked)
    expect(await entriesOf(appliance)).toEqual(entries)
    expect(await appliance.pids()).toMatchObject({ gateway: pids['gateway'] })
    const status = await appliance.json<StatusDocument>('status')
    const running = status.apps.find(({ app }) => app === 'guestbook')?.services.map(({ pid }) => pid)
    expect(running).toEqual([pids['postgres'], pids['web'], pids['worker']])
  })

  test('status and its service page say so', async () => {
    const status = await appliance.json<StatusDocument>('status')
    expect(status).toMatchObject({ state: 'degraded', exit_code: 3 })
    const part = status.parts.find((entry) => entry.part === name)
    expect(part).toMatchObject({ code })
    expect(part?.reason).toMatch(says)
    expect(part?.next).toContain(`caretaker logs ${name}`)
    expect(status.apps.find(({ app }) => app === name)).toMatchObject({ state: 'failed' })

    const headers = { host: `${host}:${appliance.port}` }
    const page = await appliance.request('/', {
      servername: host,
      headers: { ...headers, accept: 'text/html' },
    })
    expect(page.status).toBe(503)
    expect(page.headers['retry-after']).toMatch(/^\d+$/)
    expect(page.body).toContain('Service not available')
    expect(page.body).toContain(`<p>${escapeHtml(part?.what ?? '')}</p>`)
    expect(page.body).not.toContain(appliance.home)
    const data = await appliance.request('/', {
      servername: host,
      headers: { ...headers, accept: 'application/json' },
    })
    expect(JSON.parse(data.body)).toMatchObject({ status: 503, code })
  })

  test('can be removed with its data, and all is well again', async () => {
    await appliance.ok('app', 'remove', name, '--data', '--confirm', name)
    const status = await appliance.json<StatusDocument>('status')
    expect(status.parts.map((entry) => entry.part)).not.toContain(name)
    expect(status.apps.map(({ app }) => app)).toEqual(['guestbook'])
    expect((await appliance.request('/')).status).toBe(200)
  })
})
