import { readFile, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Reply, type TestAppliance, testAppliance } from '../support/appliance.ts'
import { eventually } from '../support/observe.ts'

const HOSTILE = '<script>alert(1)</script>"\'><img src=x>'

let appliance: TestAppliance
beforeAll(async () => {
  appliance = await testAppliance()
  await appliance.createConfig()
  await appliance.daemon()
  await eventually('it runs', async () => (await appliance.json('status'))['state'] === 'running')
})
afterAll(() => appliance?.[Symbol.asyncDispose]())

/** A request as a browser would send it, of one host name and with one cookie. */
function get(url: string, headers: Readonly<Record<string, string>> = {}, method = 'GET'): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { method, headers, agent: false }, (response) => {
      let body = ''
      response.setEncoding('utf8').on('data', (part: string) => {
        body += part
      })
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }))
    })
    sent.on('error', reject)
    sent.end()
  })
}

const linkOf = async (of = appliance) => (await of.ok('page')).stdout.trim()
const cookieOf = (reply: Reply) => String(reply.headers['set-cookie']).split(';')[0] as string

async function openPage(of = appliance) {
  const link = await linkOf(of)
  const { origin } = new URL(link)
  return { origin, cookie: cookieOf(await get(link)) }
}

test('a link opens the page once, in one browser', async () => {
  const link = await linkOf()
  expect(link).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/open\?token=[\w-]{43}$/)
  const opened = await get(link)
  expect(opened).toMatchObject({ status: 302, headers: { location: '/' } })
  expect(String(opened.headers['set-cookie'])).toMatch(/; Path=\/; HttpOnly; SameSite=Strict$/)
  const again = await get(link)
  expect(again.status).toBe(403)
  expect(again.body).toContain('caretaker page')
  expect(again.headers['set-cookie']).toBeUndefined()
})

test('shows nothing without a session', async () => {
  const { origin, cookie } = await openPage()
  for (const path of ['/', '/state.json']) {
    expect((await get(`${origin}${path}`)).status).toBe(403)
    const guess = `${cookie.split('=')[0]}=guess`
    expect((await get(`${origin}${path}`, { cookie: guess })).status).toBe(403)
    expect((await get(`${origin}${path}`, { cookie })).status).toBe(200)
  }
  expect((await get(`${origin}/open?token=`)).status).toBe(403)
  expect((await get(`${origin}/etc/passwd`, { cookie })).status).toBe(404)
  expect((await get(`${origin}/`, { cookie }, 'POST')).status).toBe(404)
})

test('two appliances of one machine neither end nor take the sessions of each other', async () => {
  await using other = await testAppliance()
  await other.createConfig()
  await other.daemon()
  const mine = await openPage()
  const theirs = await openPage(other)
  // A browser keeps one cookie of a name for all ports of a host, and sends all of them to each.
  const jar = new Map([mine, theirs].map(({ cookie }) => cookie.split('=') as [string, string]))
  const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ')
  for (const { origin } of [mine, theirs]) expect((await get(`${origin}/`, { cookie })).status).toBe(200)
  expect((await get(`${mine.origin}/`, { cookie: theirs.cookie })).status).toBe(403)
  const [name] = mine.cookie.split('=')
  const [, value] = theirs.cookie.split('=')
  expect((await get(`${mine.origin}/`, { cookie: `${name}=${value}` })).status).toBe(403)
})

test('answers to names of this machine only', async () => {
  const { origin, cookie } = await openPage()
  const { port } = new URL(origin)
  expect((await get(`${origin}/`, { cookie, host: `localhost:${port}` })).status).toBe(200)
  for (const host of ['evil.example', `evil.example:${port}`, 'localhost', `127.0.0.1:${Number(port) + 1}`]) {
    const refused = await get(`${origin}/`, { cookie, host })
    expect(refused.status).toBe(421)
    expect(refused.body).not.toContain('localhost')
  }
})

test('says the same as status, and lets a browser load nothing from elsewhere', async () => {
  const { origin, cookie } = await openPage()
  const page = await get(`${origin}/`, { cookie })
  expect(page.headers['content-security-policy']).toContain("default-src 'none'")
  expect(page.headers).toMatchObject({ 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' })
  expect(page.body).toContain('<title>running · localhost</title>')
  const state = JSON.parse((await get(`${origin}/state.json`, { cookie })).body) as Record<string, unknown>
  const status = await appliance.json('status')
  expect(Object.keys(state)).toEqual(Object.keys(status))
  expect(state['state']).toBe(status['state'])
})

test('escapes what others wrote', async () => {
  await appliance.ok('service', 'on', HOSTILE)
  const { origin, cookie } = await openPage()
  const { body } = await get(`${origin}/`, { cookie })
  expect(body).not.toMatch(/<script|<img/)
  expect(body).toContain('&lt;script&gt;alert(1)&lt;/script&gt;')
  await appliance.ok('service', 'off')
})

test('names the config that was refused, and the one in force', async () => {
  const file = join(appliance.state, 'appliance.yml')
  const good = await readFile(file, 'utf8')
  await writeFile(file, good.replace('\n  postgres:', '\n  postgre:'))
  try {
    expect((await appliance.run('app', 'restart', 'wiki')).code).toBe(2)
    const { origin, cookie } = await openPage()
    await eventually('the page says that the config is refused', async () => {
      const { body } = await get(`${origin}/`, { cookie })
      return body.includes('In force is ') && body.includes('degraded')
    })
  } finally {
    await writeFile(file, good)
  }
})
