import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { entriesOf, signOver } from '../support/guestbook-https.ts'
import { eventually } from '../support/observe.ts'
import { ownWorkshop } from '../support/people.ts'
import { otherVersion } from './builds.ts'
import { DOMAIN, type InstalledMachine, machineWithRelease, RELEASE } from './installed.ts'
import { openPorts } from './scan.ts'
import { type Visitor, visitor } from './visitor.ts'

const BUILDS = '/mnt/builds'
const STATE = 'var/lib/caretaker'

/** One machine lives through it all, in this order: each test finds what the one before left. */
describe('on an empty machine with systemd', () => {
  const stack = new AsyncDisposableStack()
  let installed: InstalledMachine
  let builds: string

  beforeAll(async () => {
    builds = await mkdtemp('/var/tmp/caretaker-builds-')
    stack.defer(() => rm(builds, { recursive: true, force: true }))
    const workshop = stack.use(await ownWorkshop())
    const readOnly = { '/mnt/guestbook': await workshop.folder('v1'), [BUILDS]: builds }
    installed = stack.use(await machineWithRelease(`guestbook.${DOMAIN}`, { readOnly }))
  })
  afterAll(() => stack.disposeAsync())

  const daemonPid = async () => Number((await property('MainPID')) || 0)
  const property = async (name: string) =>
    (await installed.machine.ok('systemctl', 'show', 'caretaker', '--value', `--property=${name}`)).trim()
  const names = async () => (await entriesOf(installed)).map(({ name }) => name)
  const serves = () =>
    eventually('guestbook serves', async () => (await installed.request('/')).status === 200)

  /** What runs while `work` is done, and that nobody noticed it. */
  async function unnoticed(work: (watched: Visitor) => Promise<void>): Promise<void> {
    const before = await installed.pids()
    await using watched = visitor(() => installed.request('/'))
    await work(watched)
    const seen = watched.asked
    await eventually('more was asked', () => watched.asked > seen + 5)
    expect(watched.refused).toEqual([])
    expect(await installed.pids()).toEqual(before)
  }

  test('install shows its steps, takes them, and then has nothing to do', async () => {
    const { machine } = installed
    const nobody = await machine.run(['runuser', '-u', 'nobody', '--', `${RELEASE}/bin/caretaker`, 'install'])
    expect(nobody.code).toBe(1)
    expect(nobody.stderr).toContain(`Type: sudo ${RELEASE}/programs/node/bin/node`)
    const steps = await machine.ok(`${RELEASE}/bin/caretaker`, 'install', '--dry-run')
    expect(steps).toContain('Have systemd start it at every boot')
    expect((await machine.run(['ls', '/opt/caretaker'])).code).not.toBe(0)
    const first = await installed.install()
    expect(first.code, first.stderr).toBe(0)
    expect(await property('ActiveState')).toBe('active')
    const again = await installed.install()
    expect([again.code, again.stdout]).toEqual([0, expect.stringContaining('Nothing to do')])
    // Ready means that visitors are shown something, be it the reason why there is nothing.
    const page = await fetch(`http://${machine.address}/`, { redirect: 'manual' })
    expect([301, 308, 503]).toContain(page.status)
  })

  test('a config and an application: served over HTTPS, and nothing but the gateway is reached from outside', async () => {
    await installed.ok('config', 'create', DOMAIN)
    const config = await installed.machine.ok('stat', '-c', '%a %U', '/etc/caretaker/appliance.yml')
    expect(config).toBe('600 root\n')
    await installed.ok('app', 'add', 'guestbook', '/mnt/guestbook')
    expect((await signOver(installed, { name: 'Ada', message: 'first' })).status).toBeLessThan(400)
    expect(await names()).toEqual(['Ada'])
    expect(await openPorts(installed.machine.address)).toEqual([80, 443])
    const doctor = JSON.parse((await installed.caretaker('doctor', '--json')).stdout) as {
      readonly findings: readonly { readonly check: string; readonly result: string }[]
    }
    expect(doctor.findings.filter(({ result }) => result === 'problem')).toEqual([])
    expect(doctor.findings.map(({ check }) => check)).toContain('systemd')
    const log = await installed.machine.ok('journalctl', '--unit=caretaker', '--output=json', '--priority=6')
    const messages = log
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { MESSAGE: string }).MESSAGE)
    expect(
      messages.some((text) => text.startsWith('{') && JSON.parse(text).message === 'daemon started'),
    ).toBe(true)
  })

  test('no visitor notices that the daemon is restarted, killed, or hangs and is ended by the watchdog', async () => {
    const { machine } = installed
    const dropIn = join(machine.root, 'etc/systemd/system/caretaker.service.d')
    await mkdir(dropIn)
    await writeFile(join(dropIn, 'test.conf'), '[Service]\nWatchdogSec=6\n')
    await machine.ok('systemctl', 'daemon-reload')
    const changes = async (how: () => Promise<unknown>) => {
      const before = await daemonPid()
      await how()
      await eventually('another daemon is up', async () => {
        const pid = await daemonPid()
        return pid !== 0 && pid !== before && (await property('ActiveState')) === 'active'
      })
    }
    await unnoticed(async () => {
      await changes(() => machine.ok('systemctl', 'restart', 'caretaker'))
      await changes(() => machine.ok('systemctl', 'kill', '--signal=KILL', '--kill-whom=main', 'caretaker'))
      await changes(() => machine.ok('systemctl', 'kill', '--signal=STOP', '--kill-whom=main', 'caretaker'))
    })
    expect(await machine.ok('journalctl', '--unit=caretaker', '--grep=Watchdog timeout')).toContain(
      'Watchdog timeout',
    )
    // One that lives is left alone for longer than that.
    const pid = await daemonPid()
    const aliveSince = performance.now()
    await eventually('the limit of the watchdog has passed', () => performance.now() - aliveSince > 7000)
    expect(await daemonPid()).toBe(pid)
    await rm(dropIn, { recursive: true })
    await machine.ok('systemctl', 'daemon-reload')
  })

  test('an upgrade interrupts nobody; one whose daemon does not start is taken back', async () => {
    await otherVersion(join(builds, 'next'), '0.9.0', RELEASE)
    await otherVersion(join(builds, 'broken'), '0.9.1', RELEASE, { broken: true })
    await unnoticed(async () => {
      const before = await daemonPid()
      const upgraded = await installed.install(`${BUILDS}/next`)
      expect(upgraded.code, upgraded.stderr).toBe(0)
      expect(await daemonPid()).not.toBe(before)
    })
    expect(await installed.ok('--version')).toBe('0.9.0\n')
    await unnoticed(async () => {
      const refused = await installed.install(`${BUILDS}/broken`)
      expect(refused.code, refused.stderr).toBe(4)
      await eventually('the daemon is up again', async () => (await property('ActiveState')) === 'active')
    })
    expect(await installed.ok('--version')).toBe('0.9.0\n')
    expect((await installed.caretaker('doctor')).stdout).not.toContain('DAEMON_OTHER_VERSION')
  })

  test('a reboot stops everything in order and brings it back by itself; so does the end of process 1', async () => {
    const { machine } = installed
    const postgresLog = () => readFile(join(machine.root, STATE, 'logs/guestbook/postgres.log'), 'utf8')
    await signOver(installed, { name: 'Grace', message: 'before the reboot' })
    await machine.reboot()
    await serves()
    expect(await names()).toEqual(['Ada', 'Grace'])
    expect(await postgresLog()).not.toContain('not properly shut down')
    await signOver(installed, { name: 'Linus', message: 'before the end' })
    await machine.kill()
    await machine.boot()
    await serves()
    expect(await names()).toEqual(['Ada', 'Grace', 'Linus'])
    // The log is told apart: this time it was no shutdown.
    expect(await postgresLog()).toContain('not properly shut down')
  })

  test('a foreign unit is refused; uninstall leaves config and data, and install finds them again', async () => {
    const { machine } = installed
    const gone = await installed.caretaker('uninstall')
    expect([gone.code, gone.stdout], gone.stderr).toEqual([
      0,
      expect.stringContaining('rm -r /var/lib/caretaker'),
    ])
    expect(await openPorts(machine.address)).toEqual([])
    expect(await machine.ok('ps', '-e', '-o', 'comm=')).not.toMatch(/node|postgres|MainThread/)
    const unit = join(machine.root, 'etc/systemd/system/caretaker.service')
    await writeFile(unit, '[Service]\nExecStart=/bin/true\n')
    const refused = await installed.install()
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('STEP_BLOCKED')])
    await rm(unit)
    expect((await installed.install()).code).toBe(0)
    await serves()
    expect(await names()).toEqual(['Ada', 'Grace', 'Linus'])
  })
})
