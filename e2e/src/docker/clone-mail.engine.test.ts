import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { bridgeName } from '@caretaker/appliance/runtime/docker/close-network.ts'
import type { TestEngine } from '@caretaker/appliance/runtime/docker/testing/engine.fixture.ts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ROOT, type TestAppliance } from '../support/appliance.ts'
import { eventually } from '../support/observe.ts'
import { dockerAppliance, engineWithImages } from './docker-appliance.ts'

const CLONE = 'training'
let engine: TestEngine
let appliance: TestAppliance
let listener: Server
beforeAll(async () => {
  engine = await engineWithImages()
  appliance = await dockerAppliance(engine)
  await appliance.ok('app', 'add', 'guestbook', join(ROOT, 'examples/guestbook'), '--host', 'localhost')
  await appliance.ok('app', 'clone', 'guestbook', '--name', CLONE)
  // Something of this machine that containers reach unless they are kept in.
  listener = createServer((socket) => socket.end())
  await new Promise<void>((resolve) => listener.listen(0, '0.0.0.0', resolve))
}, 600_000)
afterAll(async () => {
  listener?.close()
  await appliance?.[Symbol.asyncDispose]()
  await engine?.[Symbol.asyncDispose]()
})

/** Sends a mail as a program does that is configured by SMTP_URL. */
const send = (subject: string) => `const { hostname, port } = new URL(process.env.SMTP_URL)
  const socket = require('node:net').connect(port, hostname)
  socket.setTimeout(60000, () => process.exit(3)).on('error', () => process.exit(4))
  const words = ['EHLO x', 'MAIL FROM:<a@x.test>', 'RCPT TO:<b@y.test>', 'DATA', 'Subject: ${subject}\\r\\n\\r\\nx\\r\\n.', 'QUIT']
  socket.setEncoding('utf8').on('data', (text) => {
    if (!/^\\d{3} .*\\r\\n$/m.test(text)) return
    if (words.length > 0) socket.write(words.shift() + '\\r\\n')
    else socket.end()
  })`

const subjects = async () => {
  const { mails } = await appliance.json<{ mails: readonly { subject: string }[] }>('clone', 'mail', CLONE)
  return mails.map(({ subject }) => subject)
}

test('the mail of a clone is kept; the command and the page behind the gateway show it', async () => {
  await appliance.ok('app', 'exec', CLONE, '--', 'node', '-e', send('hello'))
  expect(await subjects()).toEqual(['hello'])
  const { url } = await appliance.json<{ url: string }>('clone', 'mail', CLONE)
  const { hostname, search } = new URL(url)
  const page = (path: string, cookie = '') =>
    appliance.request(path, {
      servername: hostname,
      headers: { host: `${hostname}:${appliance.port}`, cookie },
    })
  expect((await page('/')).status).toBe(403)
  const opened = await page(`/${search}`)
  expect(opened.status).toBe(302)
  const [cookie = ''] = String(opened.headers['set-cookie']).split(';')
  expect((await page('/', cookie)).body).toContain('hello')
}, 200_000)

test('but for its sink, a clone reaches neither production nor this machine, which production does', async () => {
  const addressOf = (container: string) =>
    engine
      .run('inspect', container, '-f', '{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}')
      .trim()
      .split(' ')[0]
  const { port } = listener.address() as { port: number }
  const production = named('-guestbook-postgres')
  const bridgeOf = (app: string) =>
    engine
      .run(
        'network',
        'inspect',
        named(`-${app}-web`).replace(/-web$/, ''),
        '-f',
        '{{(index .IPAM.Config 0).Gateway}}',
      )
      .trim()
  const reach = async (app: string, host: string | undefined, at: number) => {
    const script = `const socket = require('node:net').connect(${at}, '${host}', () => process.exit(0))
      socket.on('error', () => process.exit(9)).setTimeout(3000, () => process.exit(9))`
    return (await appliance.run('app', 'exec', app, '--', 'node', '-e', script)).code === 0
  }
  expect(await reach('guestbook', addressOf(production), 5432), 'production reaches its Postgres').toBe(true)
  expect(await reach(CLONE, addressOf(production), 5432)).toBe(false)
  expect(await reach(CLONE, 'postgres', 5432), 'the clone reaches its own').toBe(true)
  expect(await reach('guestbook', bridgeOf('guestbook'), port), 'production reaches this machine').toBe(true)
  expect(await reach(CLONE, bridgeOf('guestbook'), port)).toBe(false)
  expect(await reach(CLONE, bridgeOf(CLONE), port)).toBe(false)
}, 200_000)

test('a sink that was killed is there again with the next command, where what runs looks for it', async () => {
  const sinks = sinksOf(CLONE)
  expect(sinks).toHaveLength(1)
  for (const pid of sinks) process.kill(pid, 'SIGKILL')
  await eventually('it has ended', async () => sinksOf(CLONE).length === 0, 60_000)
  await appliance.ok('app', 'exec', CLONE, '--', 'node', '--version')
  engine.run('exec', named(`-${CLONE}-web`), 'node', '-e', send('again'))
  expect(await subjects()).toContain('again')
}, 200_000)

test('nothing of the sink stays when the clone goes', async () => {
  const bridge = bridgeName(named(`-${CLONE}-web`).replace(/-web$/, ''))
  const rules = () => execFileSync('iptables', ['--wait', '--list-rules', 'INPUT'], { encoding: 'utf8' })
  expect(rules()).toContain(bridge)
  await appliance.ok('clone', 'remove', CLONE)
  expect(sinksOf(CLONE)).toEqual([])
  expect(rules()).not.toContain(bridge)
}, 200_000)

/** A running container by the end of its name. */
function named(end: string): string {
  const names = engine.run('ps', '--format', '{{.Names}}').split('\n')
  return names.find((name) => name.endsWith(end)) ?? ''
}

/** Pids of what takes the mail of a clone of this appliance. */
function sinksOf(clone: string): readonly number[] {
  const folder = join(appliance.state, 'mail', clone)
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  return pids.map(Number).filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(folder)
    } catch {
      return false
    }
  })
}
