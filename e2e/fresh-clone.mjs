// The README's first command on a fresh clone, as a new person would type it: `npm start` to 200 over HTTPS, something
// written, Ctrl-C, `npm start` again, read back. As a created ordinary user (--user) or as root in a folder that only
// root can enter (--root). Needs root, to create the user. Ends with 0 when all is well.
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, statSync } from 'node:fs'
import { request } from 'node:https'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const source = dirname(dirname(fileURLToPath(import.meta.url)))
const asUser = process.argv.includes('--user')
const USER = 'caretaker-newcomer'
/** From nothing, downloads included. */
const START_LIMIT_MS = 5 * 60_000

if (process.getuid() !== 0) throw new Error('run this as root: it creates a user')
const home = mkdtempSync(asUser ? '/home/caretaker-clone-' : '/root/caretaker-clone-')
const clone = join(home, 'clone')
let identity = {}
const started = []
try {
  if (asUser) {
    if (spawnSync('id', [USER]).status !== 0)
      must('useradd', ['--system', '--user-group', '--no-create-home', '--home-dir', home, USER])
    must('usermod', ['--home', home, USER])
    identity = { uid: idOf('-u'), gid: idOf('-g') }
  }
  must('git', ['clone', '--quiet', source, clone])
  if (asUser) must('chown', ['-R', `${USER}:`, home])
  await story()
  console.log(`fresh clone as ${asUser ? 'an ordinary user' : 'root'}: all is well`)
} catch (error) {
  console.log(logs())
  throw error
} finally {
  for (const child of started) if (child.exitCode === null) kill(-child.pid)
  endWhatIsLeft()
  const state = existsSync(join(clone, '.caretaker')) ? realpathSync(join(clone, '.caretaker')) : undefined
  for (const folder of [state, home]) {
    if (folder === undefined) continue
    spawnSync('chmod', ['-R', 'u+w', folder])
    rmSync(folder, { recursive: true, force: true })
  }
  if (asUser) spawnSync('userdel', [USER])
}

async function story() {
  const begun = Date.now()
  const first = await npmStart()
  step(`npm start serves ${first.url}`, begun)

  const entry = await ask(first, 'POST', '/entries', {
    name: 'Newcomer',
    message: 'Hello from a fresh clone',
  })
  expect(entry.status === 201, `an entry is acknowledged (${entry.status})`)
  step('an entry is written')

  const second = await output('npm', ['start'], { until: undefined })
  expect(
    second.code === 0 && second.text.includes('running already'),
    `a second npm start says so:\n${second.text}`,
  )
  step('a second npm start says that it is running')

  const upAgain = Date.now()
  const up = await output('./caretaker', ['up'])
  expect(up.code === 0 && up.text.includes('Nothing to do'), `up again changes nothing:\n${up.text}`)
  expect(Date.now() - upAgain < 1000 * slowness(), `up again is quick (${Date.now() - upAgain} ms)`)
  step('up again changes nothing', upAgain)

  await interrupt(first)
  step('Ctrl-C stops everything')

  const again = Date.now()
  const third = await npmStart()
  const entries = await ask(third, 'GET', '/entries.json')
  expect(entries.text.includes('Hello from a fresh clone'), `the entry is still there: ${entries.text}`)
  step('npm start again, and the entry is there', again)
  await interrupt(third)

  if (asUser) {
    const tests = await output('npm', ['test', '--', 'packages/kernel', 'packages/steps'])
    expect(tests.code === 0, `npm test passes:\n${tests.text.slice(-3000)}`)
    step('npm test runs as this user')
  }
}

/** Starts `npm start` in a session of its own and waits until it prints the address. */
async function npmStart() {
  const child = start('npm', ['start'])
  let text = ''
  const url = await new Promise((resolve, reject) => {
    const limit = setTimeout(
      () => reject(new Error(`npm start printed no address in time:\n${text}`)),
      START_LIMIT_MS,
    )
    const read = (chunk) => {
      text += chunk
      const found = /Guestbook\s+(https:\/\/\S+)/.exec(text)?.[1]
      if (found && text.includes('Stop it')) {
        clearTimeout(limit)
        resolve(found)
      }
    }
    child.stdout.on('data', read)
    child.stderr.on('data', read)
    child.on('exit', (code) => reject(new Error(`npm start ended with ${code}:\n${text}`)))
  })
  return {
    child,
    url,
    ca: readFileSync(join(realpathSync(join(clone, '.caretaker')), 'certificates/ca.crt')),
  }
}

/** Ctrl-C in a terminal reaches the whole foreground group. npm itself may end before what it started. */
async function interrupt({ child }) {
  process.kill(-child.pid, 'SIGINT')
  const deadline = Date.now() + 60_000
  while (whatIsLeft().length > 0 && Date.now() < deadline)
    await new Promise((resolve) => setTimeout(resolve, 100))
  expect(whatIsLeft().length === 0, `nothing is left running: ${whatIsLeft().join('\n')}`)
}

function start(file, args) {
  const env = { PATH: process.env.PATH, HOME: home, LANG: 'C.UTF-8', ...passedOn() }
  const child = spawn(file, args, {
    cwd: clone,
    env,
    ...identity,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  started.push(child)
  return child
}

/** Certificate and proxy settings of this machine, without which nothing can be fetched. */
function passedOn() {
  const wanted =
    /^(https?_proxy|no_proxy|ssl_cert_(file|dir)|node_extra_ca_certs|npm_config_(registry|cafile))$/i
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => wanted.test(name)))
}

async function output(file, args) {
  const child = start(file, args)
  let text = ''
  child.stdout.on('data', (chunk) => (text += chunk))
  child.stderr.on('data', (chunk) => (text += chunk))
  const code = await Promise.race([
    new Promise((resolve) => child.on('close', resolve)),
    limit(START_LIMIT_MS, `${file} ${args.join(' ')}`),
  ])
  return { code, text }
}

function ask({ url, ca }, method, path, body) {
  return new Promise((resolve, reject) => {
    const sent = request(
      `${url}${path}`,
      { method, ca, headers: { 'content-type': 'application/json' } },
      (response) => {
        let text = ''
        response.on('data', (chunk) => (text += chunk))
        response.on('end', () => resolve({ status: response.statusCode, text }))
      },
    )
    sent.on('error', reject)
    sent.end(body === undefined ? undefined : JSON.stringify(body))
  })
}

/** Processes that run from the clone or its state folder. */
function whatIsLeft() {
  const state = existsSync(join(clone, '.caretaker')) ? realpathSync(join(clone, '.caretaker')) : clone
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid && !isZombie(name))
    .flatMap((pid) => {
      try {
        const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
        const ours = command.includes(clone) || command.includes(`${state}/`) || isUsers(pid)
        return ours ? [`${pid} ${command}`] : []
      } catch {
        return []
      }
    })
}

function isZombie(pid) {
  try {
    return /^\d+ \(.*\) Z/s.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return true
  }
}

/** Nothing else runs as the created user. */
function isUsers(pid) {
  return asUser && identity.uid !== undefined && statSync(`/proc/${pid}`).uid === identity.uid
}

function endWhatIsLeft() {
  for (const line of whatIsLeft()) kill(Number(line.split(' ')[0]))
}

/** What the daemon wrote, for whoever looks for the cause. */
function logs() {
  const folder = join(clone, '.caretaker/logs/appliance')
  return ['daemon.log', 'daemon-output.log']
    .map((name) => join(folder, name))
    .filter((file) => existsSync(file))
    .map((file) => `== ${file}\n${readFileSync(file, 'utf8').slice(-4000)}`)
    .join('\n')
}

function kill(pid) {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended meanwhile.
  }
}

function limit(ms, what) {
  return new Promise((_, reject) => setTimeout(() => reject(new Error(`too slow: ${what}`)), ms).unref())
}

/** "Under a second" holds on a machine that is not busy with other tests. */
function slowness() {
  return Math.max(1, Number(readFileSync('/proc/loadavg', 'utf8').split(' ')[0]))
}

function idOf(flag) {
  return Number(spawnSync('id', [flag, USER], { encoding: 'utf8' }).stdout)
}

function must(file, args) {
  const { status, stderr } = spawnSync(file, args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`${file} ${args.join(' ')} failed: ${stderr}`)
}

function expect(condition, what) {
  if (!condition) throw new Error(what)
}

function step(what, since) {
  console.log(`  ${what}${since === undefined ? '' : ` (${((Date.now() - since) / 1000).toFixed(1)} s)`}`)
}
