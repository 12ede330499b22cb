// npm start: sets everything up, brings the local appliance up with the guestbook, and keeps it up until Ctrl-C.
import { spawn } from 'node:child_process'
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, realpathSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { bootstrap, refuse, root } from './bootstrap.mjs'
import { claim } from './claim.mjs'
import { localStateFolder } from './local-state.mjs'

const say = (text = '') => process.stdout.write(`${text}\n`)
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

await bootstrap()
const state = realpathSync(localStateFolder())
const config = join(state, 'appliance.yml')
const supervisorFile = join(state, 'supervisor.pid')
const environment = { ...process.env, CARETAKER_STATE: state }
delete environment.CARETAKER_CONFIG

let stopping = false
let daemon
let wake = () => undefined
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    stopping = true
    wake()
  })
}

if (!claim(supervisorFile, 'scripts/start.mjs')) {
  say('The local appliance is running already, in another terminal.')
  say()
  await caretaker(['status'])
  process.exit(0)
}

if (!existsSync(config)) await createConfig()
const applications = JSON.parse(
  (await caretaker(['config', 'check', '--json'], { keep: true })).output,
).applications
if (!applications)
  refuse('The local appliance was not started', `${config} is not valid`, './caretaker config check')
const first = !applications.includes('guestbook')
const begin = first
  ? ['app', 'add', 'guestbook', join(root, 'examples/guestbook'), '--host', 'localhost,guestbook.localhost']
  : ['up']
const { code } = await caretaker(begin)
if (code === 130 || stopping) process.exit(130)
await keepDaemon()

/** Runs one caretaker command; its exit code, and its output when it is kept. */
function caretaker(words, { keep = false } = {}) {
  return new Promise((resolve) => {
    const child = spawn(join(root, 'caretaker'), words, {
      env: environment,
      stdio: ['ignore', keep ? 'pipe' : 'inherit', 'inherit'],
    })
    let output = ''
    child.stdout?.on('data', (chunk) => (output += chunk))
    child.on('close', (exit) => resolve({ code: exit ?? 130, output }))
  })
}

async function createConfig() {
  const https = await freePort(8443)
  const http = await freePort(https === 8080 ? 8081 : 8080)
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone || 'UTC'
  const words = ['config', 'create', 'localhost', '--bind', '127.0.0.1', '--time-zone', zone, '--out', config]
  const created = await caretaker([...words, '--https-port', String(https), '--http-port', String(http)], {
    keep: true,
  })
  if (created.code !== 0) process.exit(created.code)
  say(`The local appliance has a config of its own: ${config}`)
}

/** The first port from `start` on that nobody uses on the loopback address. */
async function freePort(start) {
  for (let port = start; port < start + 200; port += 1) {
    const free = await new Promise((resolve) => {
      const server = createServer()
      server.on('error', () => resolve(false))
      server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
    })
    if (free) return port
  }
  return refuse(
    'No port is free',
    `${start} to ${start + 199} are all taken`,
    'Stop what uses them: "ss -ltnp" shows it',
  )
}

/** Keeps a daemon running: one that a killed supervisor left behind, or a new one whenever it has ended. */
async function keepDaemon() {
  let failures = 0
  while (!stopping) {
    const startedAt = Date.now()
    daemon = (await livingDaemon()) ?? startDaemon()
    if (!(await answers())) {
      if (stopping) break
    } else if (failures === 0) await explain()
    await ended(daemon)
    if (stopping) break
    failures = Date.now() - startedAt > 60_000 ? 1 : failures + 1
    const pauseMs = Math.min(500 * 2 ** failures, 30_000)
    say(`The daemon has ended; it is started again in ${pauseMs / 1000} s. Its log: ./caretaker logs daemon`)
    await Promise.race([wait(pauseMs), new Promise((resolve) => (wake = resolve))])
  }
  if (!isAlive(daemon)) return
  say('Stopping the applications, Postgres and the gateway …')
  process.kill(daemon, 'SIGTERM')
  while (isAlive(daemon)) await wait(100)
  say('Stopped. "npm start" starts it again; the data stays.')
}

function startDaemon() {
  mkdirSync(join(state, 'logs/appliance'), { recursive: true })
  const log = openSync(join(state, 'logs/appliance/daemon-output.log'), 'a')
  // A group of its own: Ctrl-C reaches this process, which then stops the daemon in order.
  const child = spawn(join(root, 'caretaker'), ['daemon'], {
    env: environment,
    detached: true,
    stdio: ['ignore', log, log],
  })
  child.on('exit', () => wake())
  closeSync(log)
  return child.pid
}

async function livingDaemon() {
  const { output } = await caretaker(['status', '--json'], { keep: true })
  try {
    return JSON.parse(output).daemon.pid ?? undefined
  } catch {
    return undefined
  }
}

/** Waits until the daemon answers; false when it ended instead. */
async function answers() {
  while (isAlive(daemon) && !stopping) {
    if ((await livingDaemon()) === daemon) return true
    await wait(200)
  }
  return false
}

async function ended(pid) {
  while (isAlive(pid) && !stopping) {
    await Promise.race([wait(500), new Promise((resolve) => (wake = resolve))])
  }
}

function isAlive(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return !/^\d+ \(.*\) Z/s.test(stat)
  } catch {
    return false
  }
}

async function explain() {
  const status = JSON.parse((await caretaker(['status', '--json'], { keep: true })).output)
  const page = JSON.parse((await caretaker(['page', '--json'], { keep: true })).output).url
  const url = status.apps.find((app) => app.app === 'guestbook')?.url ?? status.apps[0]?.url ?? ''
  say()
  say(`The appliance is ${status.state}${status.reason ? `: ${status.reason}` : '.'}`)
  say()
  say(`  Guestbook    ${url}`)
  say(`               (its certificate is the appliance's own; trust ${join(state, 'certificates/ca.crt')},`)
  say(`                or: curl --cacert ${join(state, 'certificates/ca.crt')} ${url}/)`)
  say(`  State page   ${page}   (works once; "./caretaker page" makes another)`)
  say()
  say('  Look at it   ./caretaker status            ./caretaker logs guestbook     ./caretaker doctor')
  say(
    '  Change it    ./caretaker app list          ./caretaker config show        ./caretaker operation list',
  )
  say('  Break it     ./caretaker service on "Back soon"   then   ./caretaker service off')
  say('               kill -9 one of the pids that "./caretaker status" shows, and watch it come back')
  say('  Stop it      Ctrl-C here. Everything is kept in the folder .caretaker')
  say()
}
