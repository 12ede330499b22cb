import { join } from 'node:path'
import { DAY_MS } from '@caretaker/kernel/time.ts'
import { waitUntil } from '@caretaker/ports/deadline.ts'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { adminAddress, databaseAddress, POSTGRES_SERVICE } from './app-database.ts'
import { execInApp } from './app-exec.ts'
import { appFolders } from './app-files.ts'
import { restartApp } from './apps.ts'
import { reportCloneMail } from './clone-mail.ts'
import { cloneApp, removeCloneNow } from './clones.ts'
import { cloneMailFolder } from './isolation.ts'
import { status } from './status.ts'
import { type Lab, openLab } from './testing/lab.fixture.ts'
import { up } from './up.ts'

const never = new AbortController().signal
const quiet = () => undefined
const CLONE = 'shop-clone-1'

let lab: Lab
beforeAll(async () => {
  lab = await openLab({ shop: { database: true, migrates: true, smoke: true } })
  await up((await lab.open()).appliance, { firstStart: false }, quiet, never)
  const wanted = { app: 'shop', name: undefined, ttlMs: DAY_MS, allowOutside: false }
  const report = await cloneApp(await appliance(), wanted, quiet, never)
  expect(report).toMatchObject({ exit_code: 0, errors: [], clone: { clone: CLONE, isolated: true } })
}, 600_000)
afterAll(() => lab[Symbol.asyncDispose]())

const appliance = async () => (await lab.open()).appliance

/** What a script says that runs as a command of the clone. */
async function inside(script: string, app = CLONE): Promise<string> {
  const lines: string[] = []
  const command = ['node', '-e', script]
  const wanted = { app, service: undefined, command }
  await execInApp(await appliance(), wanted, (line) => lines.push(line), never)
  return lines.join('\n')
}

it('serves at its own host, with its own Postgres', async () => {
  const answer = await lab.get(CLONE)
  expect(answer.status).toBe(200)
  expect(JSON.parse(answer.body).database).not.toBe(JSON.parse((await lab.get('shop')).body).database)
  expect(await status(await appliance(), process.pid)).toMatchObject({ state: 'running', parts: [] })
})

it('does not reach the Postgres of production, its password in hand', async () => {
  const here = await appliance()
  const production = await databaseAddress(here, 'shop')
  const own = await databaseAddress(here, CLONE)
  const connect = (path: string) => `new Promise((resolve) => require('node:net')
    .connect(${JSON.stringify(join(path, '.s.PGSQL.5432'))}, () => resolve('reached')).on('error', (e) => resolve(e.code)))`
  const told = await inside(`Promise.all([${connect(own.host)}, ${connect(production.host)}])
    .then((all) => { console.log(all.join(' ')); process.exit(0) })`)
  expect(told).toBe('reached ENOENT')
})

it('cannot make its own Postgres reach anything: neither programs nor files of this machine', async () => {
  const here = await appliance()
  const production = appFolders(here, 'shop')
  const asked = await lab.ports.databases.withSession(
    await adminAddress(here, CLONE),
    { timeoutMs: 60_000 },
    async (session) => {
      await session.query('CREATE TEMP TABLE seen (line text)')
      const look = `ls ${production.unit} ${production.socket} ${here.configFile} 2>&1; cat /proc/net/dev; true`
      await session.query(`COPY seen FROM PROGRAM '${look}'`)
      return session.query<{ line: string }>('SELECT line FROM seen')
    },
  )
  const lines = asked.map(({ line }) => line)
  expect(lines.filter((line) => line.includes('No such file'))).toHaveLength(3)
  expect(
    lines.filter((line) => /^ *\w+:/.test(line) && !line.includes('lo:') && !line.includes('ls:')),
  ).toEqual([])
})

it('sees no secret of production in its environment, its files and its processes', async () => {
  const here = await appliance()
  const passwords = [
    (await databaseAddress(here, 'shop')).password,
    (await adminAddress(here, 'shop')).password,
    ...Object.values(here.config.applications['shop']?.secrets ?? {}),
    here.config.keys.age_identity,
  ].map((secret) => (typeof secret === 'string' ? secret : secret.reveal()))
  expect(passwords.length).toBeGreaterThan(2)
  // Looked for by its beginning, so that the script does not find itself.
  const needles = JSON.stringify(passwords.map((text) => [text.slice(0, 12), text.slice(12)]))
  const found = await inside(`const fs = require('node:fs'), path = require('node:path')
    const needles = ${needles}.map((parts) => parts.join(''))
    const read = (file) => { try { return fs.readFileSync(file, 'latin1') } catch { return '' } }
    const hit = (text) => needles.some((needle) => text.includes(needle))
    const walk = (folder) => { let all = []
      try { all = fs.readdirSync(folder, { withFileTypes: true }) } catch { return }
      for (const entry of all) { const at = path.join(folder, entry.name)
        if (entry.isDirectory()) walk(at)
        else if (entry.isFile() && !at.endsWith('/bin/node') && !at.includes('/postgres-1') && hit(read(at))) console.log('file', at) } }
    for (const root of [${JSON.stringify(here.stateFolder)}, '/run', '/tmp', '/dev/shm', process.env.HOME]) walk(root)
    for (const pid of fs.readdirSync('/proc').filter((name) => /^[0-9]+$/.test(name)))
      for (const name of ['environ', 'cmdline']) if (hit(read('/proc/' + pid + '/' + name))) console.log(name, pid)
    // What it does hold is found this way.
    console.log(read('/proc/self/environ').includes(process.env.PGPASSWORD) ? 'looked' : 'blind')`)
  expect(found).toBe('looked')
})

/** Sends one mail as a program does that is configured by SMTP_URL. */
const SEND = `const { hostname, port } = new URL(process.env.SMTP_URL)
  const socket = require('node:net').connect(port, hostname)
  const words = ['EHLO clone', 'MAIL FROM:<shop@example.test>', 'RCPT TO:<ada@elsewhere.test>', 'DATA',
    'Subject: Reset <b>now</b>\\r\\n\\r\\nhttps://shop.test/reset?t=1\\r\\n.', 'QUIT']
  socket.setEncoding('utf8').on('data', (text) => {
    if (!/^\\d{3} .*\\r\\n$/m.test(text)) return
    if (words.length > 0) socket.write(words.shift() + '\\r\\n')
    else { console.log(text.slice(0, 3)); socket.end() }
  })`

it('sends its mail into a sink; the command and the page behind the gateway show it to who has the link', async () => {
  expect(await inside(SEND)).toBe('221')
  const here = await appliance()
  const { url, mails } = await reportCloneMail(here, CLONE)
  expect(mails).toMatchObject([
    {
      from: 'shop@example.test',
      to: ['ada@elsewhere.test'],
      subject: 'Reset <b>now</b>',
      text: 'https://shop.test/reset?t=1',
    },
  ])
  await expect(reportCloneMail(here, CLONE, 'none')).rejects.toMatchObject({ code: 'MAIL_UNKNOWN' })

  const host = `mail-${CLONE}`
  expect((await lab.get(host)).status).toBe(403)
  expect((await lab.get(host, '/?key=wrong')).status).toBe(403)
  expect(url).toContain(`https://${host}.example.test`)
  const key = new URL(url ?? '').searchParams.get('key')
  expect((await lab.get(host, `/?key=${key}`)).status).toBe(302)
  const port = (await here.runtime.cell(CLONE))?.mailPagePort
  const page = async (path: string) =>
    lab.ports.network.request({
      url: `http://127.0.0.1:${port}${path}`,
      headers: { cookie: `caretaker_mail=${key}` },
      timeoutMs: 20_000,
    })
  expect((await page('/')).body).toContain('Reset &lt;b&gt;now&lt;/b&gt;')
  const shown = await page(`/mail/${mails[0]?.id}`)
  expect(shown.body).toContain('<pre>https://shop.test/reset?t=1</pre>')
  expect(shown.headers['content-security-policy']).toContain("default-src 'none'")
  expect((await page(`/mail/${mails[0]?.id}.eml`)).body).toContain('X-Envelope-To: ada@elsewhere.test')
  expect((await page('/mail/../key')).status).toBe(404)
})

it('sends its mail into the sink also when it was allowed to reach the outside', async () => {
  const wanted = { app: 'shop', name: 'open', ttlMs: DAY_MS, allowOutside: true }
  expect(await cloneApp(await appliance(), wanted, quiet, never)).toMatchObject({ exit_code: 0 })
  expect(await inside(SEND, 'open')).toBe('221')
  const here = await appliance()
  expect((await reportCloneMail(here, 'open')).mails).toHaveLength(1)
  expect((await reportCloneMail(here, CLONE)).mails).toHaveLength(1)
  expect((await lab.get('mail-open')).status).toBe(403)
  await removeCloneNow(here, 'open', quiet, never)
  expect(await lab.ports.files.stat(cloneMailFolder(here.stateFolder, 'open'))).toBeUndefined()
  const left = (await lab.ports.processes.findByLabel(here.config.id)).filter(
    ({ label }) => label.app === 'open',
  )
  expect(left).toEqual([])
})

it('is found again after a restart, and by the next up; its Postgres recovers from being killed', async () => {
  expect(await restartApp(await lab.open(), CLONE, quiet, never)).toMatchObject({ exit_code: 0 })
  expect((await lab.get(CLONE)).status).toBe(200)
  expect(await up(await appliance(), { firstStart: false }, quiet, never)).toMatchObject({
    nothing_to_do: true,
  })
  const here = await appliance()
  const postgres = await here.runtime.status(CLONE, POSTGRES_SERVICE)
  process.kill(postgres?.pid ?? 0, 'SIGKILL')
  await waitUntil(lab.ports.clock, { timeoutMs: 120_000 }, async () =>
    (await here.runtime.status(CLONE, POSTGRES_SERVICE))?.state === 'ended' ? true : undefined,
  )
  expect(await up(here, { firstStart: false }, quiet, never)).toMatchObject({ exit_code: 0 })
  expect((await lab.get(CLONE)).status).toBe(200)
})

it('leaves no process behind when it goes, not even one that hides', async () => {
  const here = await appliance()
  const stray = `hides-${lab.httpsPort}`
  // Who takes the mark off too is found by nobody but the cell.
  await inside(`require('node:child_process').spawn('/usr/bin/prlimit',
    ['--locks=1:1', '--', process.execPath, '-e', 'setInterval(() => 0, 1000)', '${stray}'],
    { env: {}, detached: true, stdio: 'ignore' }).unref()`)
  const strays = async () => (await commandLines()).filter((words) => words.includes(stray))
  expect(await strays()).toHaveLength(1)
  await removeCloneNow(here, CLONE, quiet, never)
  expect(await strays()).toEqual([])
  const left = (await lab.ports.processes.findByLabel(here.config.id)).filter(
    ({ label }) => label.app === CLONE,
  )
  expect(left).toEqual([])
  expect((await lab.get('shop')).status).toBe(200)
})

/** Of every process of this machine. */
async function commandLines(): Promise<readonly string[]> {
  const { files } = lab.ports
  const pids = ((await files.list('/proc')) ?? []).filter(({ name }) => /^\d+$/.test(name))
  const lines = await Promise.all(
    pids.map(({ name }) => files.readText(`/proc/${name}/cmdline`).catch(() => '')),
  )
  return lines.map((line) => line ?? '')
}
