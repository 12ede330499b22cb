import { execFileSync } from 'node:child_process'
import { chmod } from 'node:fs/promises'
import { join } from 'node:path'
import { makeTinyApp } from '@caretaker/appliance/lifecycle/testing/tiny-app.fixture.ts'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  type DaemonProcess,
  type StatusDocument,
  type TestAppliance,
  testAppliance,
} from '../support/appliance.ts'
import { eventually, isAlive } from '../support/observe.ts'
import { isRoot, nobodysWorkshop, ownWorkshop, type Workshop } from '../support/people.ts'

/** Command lines that would change something; none of them may. */
const WRITING = [
  ['up'],
  ['down'],
  ['app', 'restart', 'shop'],
  ['app', 'remove', 'shop'],
  ['app', 'rotate-password', 'shop'],
  ['app', 'exec', 'shop', 'web', '--', 'node', '--version'],
  ['service', 'on', 'Moving'],
  ['service', 'off'],
  ['job', 'run', 'log-clean-up'],
  ['operation', 'undo', '20200101-000000-up-none'],
]
/** Command lines that only look. */
const LOOKING = [
  ['logs'],
  ['logs', 'shop', 'web'],
  ['app', 'list'],
  ['app', 'show', 'shop'],
  ['job', 'list'],
  ['operation', 'list'],
  ['page'],
]

interface Way {
  readonly name: string
  readonly code: string
  /** Why it cannot be tried here; empty when it can. */
  readonly skipped: string
  workshop(): Promise<Workshop>
  /** From now on the state folder cannot be written. */
  close(state: string): Promise<void>
  open(state: string): Promise<void>
}

const WAYS: readonly Way[] = [
  {
    name: 'its file system is read-only',
    code: 'READ_ONLY',
    skipped: canMount() ? '' : 'needs root that may mount',
    workshop: ownWorkshop,
    // What is open stays open, as after an error of the disk; a plain remount would be refused because of it.
    async close(state) {
      execFileSync('mount', ['--bind', state, state])
      execFileSync('mount', ['-o', 'remount,bind,ro', state])
    },
    open: async (state) => void execFileSync('umount', ['-l', state]),
  },
  {
    name: 'an ordinary user may not write it',
    code: 'NO_PERMISSION',
    skipped: '',
    workshop: isRoot ? nobodysWorkshop : ownWorkshop,
    close: (state) => chmod(state, 0o500),
    open: (state) => chmod(state, 0o711),
  },
]

describe.each(WAYS)('a state folder that cannot be written: $name', (way) => {
  describe.skipIf(way.skipped !== '')(way.skipped === '' ? 'here' : `skipped: ${way.skipped}`, () => {
    let appliance: TestAppliance
    let daemon: DaemonProcess
    let workshop: Workshop
    let isClosed = false

    beforeAll(async () => {
      workshop = await way.workshop()
      appliance = await testAppliance(workshop.person, workshop.dist)
      await appliance.createConfig()
      const shop = await makeTinyApp(appliance.home, 'shop', { database: true })
      await appliance.ok('app', 'add', 'shop', shop.folder, '--host', 'localhost')
      daemon = await appliance.daemon()
      await way.close(appliance.state)
      isClosed = true
    })
    afterAll(async () => {
      if (isClosed) await way.open(appliance.state)
      await appliance?.[Symbol.asyncDispose]()
      await workshop?.[Symbol.asyncDispose]()
    })

    const stateFolder = async () =>
      (await appliance.json<StatusDocument>('status')).parts.find(({ part }) => part === 'state folder')

    test('is said by status and doctor, with what to type; the daemon and what it serves go on', async () => {
      expect(await stateFolder()).toMatchObject({
        code: way.code,
        reason: expect.stringContaining(appliance.state),
        next: expect.stringContaining(appliance.state),
      })
      expect((await appliance.run('status')).code).toBe(3)
      const doctor = await appliance.run('doctor')
      expect(doctor.code).toBe(3)
      expect(doctor.stdout).toMatch(
        new RegExp(`problem +state folder: .*\\n +next: .*\\n +code: ${way.code}`),
      )
      expect((await appliance.request('/')).status).toBe(200)
      expect(isAlive(daemon.pid)).toBe(true)
    })

    test('is on the state page as well', async () => {
      const link = (await appliance.ok('page')).stdout.trim()
      const opened = await fetch(link, { redirect: 'manual' })
      const cookie = opened.headers.get('set-cookie')?.split(';')[0] ?? ''
      const page = await fetch(new URL('/', link), { headers: { cookie } })
      expect(await page.text()).toMatch(/state folder.* (lies on a read-only file system|cannot be written)/)
    })

    test.each(LOOKING.map((words) => ({ line: words.join(' '), words })))(
      '$line works',
      async ({ words }) => {
        expect((await appliance.ok(...words)).stderr).toBe('')
      },
    )

    test.each(WRITING.map((words) => ({ line: words.join(' '), words })))(
      '$line says why it did nothing',
      async ({ words }) => {
        const ran = await appliance.run(...words)
        expect(ran.stderr).toContain(`code: ${way.code}, exit 1`)
        expect(ran.stderr).toMatch(new RegExp(`why: +${appliance.state}/`))
        expect(ran.stderr).toMatch(/next: \S/)
        expect(ran.code).toBe(1)
        expect((await appliance.request('/')).status).toBe(200)
      },
    )

    test('another daemon says why it does not start', async () => {
      const ran = await appliance.run('daemon')
      expect(ran.stderr).toMatch(new RegExp(`code: (${way.code}|STATE_IN_USE), exit`))
    })

    test('when it can be written again, everything goes on without a restart', async () => {
      const { web } = await appliance.pids()
      process.kill(web ?? 0, 'SIGKILL')
      await eventually('it is said that web has ended', async () => {
        const { apps } = await appliance.json<StatusDocument>('status')
        return apps[0]?.services.find(({ service }) => service === 'web')?.state !== 'running'
      })
      expect(isAlive(daemon.pid)).toBe(true)
      await way.open(appliance.state)
      isClosed = false
      const isWell = async () =>
        (await appliance.json<StatusDocument>('status')).state === 'running' &&
        (await appliance.request('/')).status === 200
      await eventually('everything serves', isWell)
      await appliance.ok('app', 'restart', 'shop')
      expect((await appliance.ok('logs', 'daemon')).stdout).toContain('shop web: started it again')
    })
  })
})

function canMount(): boolean {
  if (!isRoot) return false
  try {
    execFileSync('unshare', ['--mount', 'mount', '-t', 'tmpfs', 'none', join('/', 'tmp')], {
      stdio: 'ignore',
    })
    return true
  } catch {
    return false
  }
}
