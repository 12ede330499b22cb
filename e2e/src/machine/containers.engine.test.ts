import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import { openPebble, type Pebble } from '@caretaker/appliance/lifecycle/testing/pebble.fixture.ts'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parse, parseDocument } from 'yaml'
import { ROOT } from '../support/appliance.ts'
import { eventually } from '../support/observe.ts'
import { type Visitor, visitorOf } from '../third-party/client.ts'
import * as directus from '../third-party/directus.ts'
import { POSTGRES_MAJOR, startHub } from '../third-party/hub.ts'
import * as unleash from '../third-party/unleash.ts'
import { forward } from './forward.ts'
import { DOMAIN, type InstalledMachine, machineWithRelease } from './installed.ts'
import { openPorts } from './scan.ts'

const EXAMPLES = '/mnt/examples'
const CONFIG = 'etc/caretaker/appliance.yml'
const FLAG = 'made-on-a-new-machine'
const FILE = randomBytes(300_000)
const BACK_WITHIN_MS = 170_000
/** As many open files as the kernel around this machine allows; Debian's units ask for more. */
const LIMITS = '[Service]\nLimitNOFILE=20000\nLimitNPROC=\nLimitCORE=\nOOMScoreAdjust=0\n'

/** One machine lives through it all, in this order: each test finds what the one before left. */
describe('from an empty machine with systemd to applications that nobody here wrote', () => {
  const stack = new AsyncDisposableStack()
  let installed: InstalledMachine
  let pebble: Pebble
  let flags: Visitor
  let content: Visitor
  let cookie: string
  let session: Readonly<Record<string, string>>
  let fileId: string

  beforeAll(async () => {
    const home = await mkdtemp('/var/tmp/caretaker-containers-')
    stack.defer(() => rm(home, { recursive: true, force: true }))
    for (const name of ['docker', 'containerd']) await mkdir(join(home, name))
    const plugins = process.env['CARETAKER_DOCKER_PLUGINS']?.split(':')[0] ?? ''
    installed = stack.use(
      await machineWithRelease(`unleash.${DOMAIN}`, {
        readOnly: { [EXAMPLES]: join(ROOT, 'examples'), '/usr/local/lib/docker/cli-plugins': plugins },
        // No overlay on the overlay of the machine.
        writable: {
          '/var/lib/docker': join(home, 'docker'),
          '/var/lib/containerd': join(home, 'containerd'),
        },
      }),
    )
    const { address } = installed.machine
    const hostAddress = address.replace(/\.2$/, '.1')
    const hub = stack.use(await startHub())
    const mirror = stack.use(await forward(hostAddress, hub.url))
    await prepareEngine(installed, mirror.url)
    pebble = stack.use(
      await openPebble(join(home, 'pebble'), { httpPort: 80, at: hostAddress, everyName: address }),
    )
    const place = { address, port: 443, ca: () => undefined }
    flags = visitorOf({ ...place, host: `unleash.${DOMAIN}` })
    content = visitorOf({ ...place, host: `directus.${DOMAIN}` })
  }, 900_000)
  afterAll(() => stack.disposeAsync())

  async function everythingIsThere(): Promise<boolean> {
    expect(await unleash.flagNames(flags, cookie)).toContain(FLAG)
    expect((await directus.download(content, session, fileId)).equals(FILE)).toBe(true)
    return true
  }

  async function secretOf(app: string): Promise<string> {
    await installed.ok('config', 'export', '/root/export.yml')
    const text = await readFile(join(installed.machine.root, 'root/export.yml'), 'utf8')
    await installed.machine.ok('rm', '/root/export.yml')
    return parse(text).caretaker.applications[app].secrets.ADMIN_PASSWORD
  }

  test('install, a config, two applications: served with certificates of the ACME server', async () => {
    const { machine } = installed
    const done = await installed.install()
    expect(done.code, done.stderr).toBe(0)
    await installed.ok('config', 'create', DOMAIN)
    const file = join(machine.root, CONFIG)
    await writeFile(join(machine.root, 'etc/caretaker/directory-ca.pem'), await readFile(pebble.trustedCa))
    const config = parseDocument(await readFile(file, 'utf8'))
    const set = (path: string, value: unknown) => config.setIn(['caretaker', ...path.split('.')], value)
    set('runtime', 'docker')
    set('postgres.major', POSTGRES_MAJOR)
    set('tls', {
      mode: 'acme',
      acme: {
        directory: pebble.directory,
        accept_terms: true,
        trusted_ca: '/etc/caretaker/directory-ca.pem',
      },
    })
    await writeFile(file, config.toString({ lineWidth: 0 }), { mode: 0o600 })
    for (const app of ['unleash', 'directus']) await installed.ok('app', 'add', app, `${EXAMPLES}/${app}`)
    for (const app of ['unleash', 'directus'])
      await eventually(`the certificate of ${app} is of the ACME server`, async () =>
        /Pebble/.test(await issuerAt(machine.address, `${app}.${DOMAIN}`)),
      )
  }, 600_000)

  test('a person logs in, makes a flag and uploads a file; from outside only the gateway answers', async () => {
    cookie = await unleash.logIn(flags, await secretOf('unleash'))
    await unleash.createFlag(flags, cookie, FLAG)
    session = await directus.logIn(content, await secretOf('directus'))
    fileId = await directus.upload(content, session, 'night.bin', FILE)
    await everythingIsThere()
    expect(await openPorts(installed.machine.address)).toEqual([80, 443])
  })

  test('it comes back by itself after a reboot, and after the end of everything, and all is there', async () => {
    const { machine } = installed
    await machine.reboot()
    await eventually('both serve again after the reboot', everythingIsThere, BACK_WITHIN_MS)
    await machine.kill()
    await machine.boot()
    await eventually('both serve again after everything was killed', everythingIsThere, BACK_WITHIN_MS)
    expect((await installed.caretaker('status')).stdout).toContain('running')
  }, 600_000)
})

/** What the person responsible does on a Debian before containers can be used; images come from `mirror`. */
async function prepareEngine({ machine }: InstalledMachine, mirror: string): Promise<void> {
  for (const unit of ['docker', 'containerd']) {
    const dropIn = join(machine.root, `etc/systemd/system/${unit}.service.d`)
    await mkdir(dropIn, { recursive: true })
    await writeFile(join(dropIn, 'limits.conf'), LIMITS)
  }
  await mkdir(join(machine.root, 'etc/docker'), { recursive: true })
  const settings = {
    'storage-driver': 'overlay2',
    'registry-mirrors': [mirror],
    'insecure-registries': [new URL(mirror).host],
  }
  await writeFile(join(machine.root, 'etc/docker/daemon.json'), JSON.stringify(settings))
  const apt = async (...words: string[]) => {
    const env = { DEBIAN_FRONTEND: 'noninteractive' }
    const { code, stdout, stderr } = await machine.run(['apt-get', ...words], { env, timeoutMs: 180_000 })
    if (code !== 0) throw new Error(`apt-get ${words.join(' ')}: ${stdout}${stderr}`.slice(-2000))
  }
  await apt('update', '-q')
  await apt('install', '-y', '-q', '--no-install-recommends', 'docker.io', 'iptables', 'busybox-static')
  await eventually('the engine answers', async () => (await machine.run(['docker', 'info'])).code === 0)
}

/** Who issued the certificate that is shown for this name. */
function issuerAt(address: string, servername: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connectTls({ host: address, port: 443, servername, rejectUnauthorized: false })
    socket.once('error', reject)
    socket.once('secureConnect', () => {
      resolve(String(socket.getPeerX509Certificate()?.issuer))
      socket.destroy()
    })
  })
}
