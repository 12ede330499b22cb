import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type DaemonProcess, type StatusDocument, type TestAppliance } from '../support/appliance.ts'
import { type GuestbookAppliance, guestbookAppliance } from '../support/guestbook-appliance.ts'
import { entriesOf, signOver, unique } from '../support/guestbook-https.ts'
import { eventually, isAlive } from '../support/observe.ts'

let guestbook: GuestbookAppliance
let appliance: TestAppliance
let daemon: DaemonProcess
beforeAll(async () => {
  guestbook = await guestbookAppliance()
  appliance = guestbook.appliance
  daemon = await appliance.daemon()
})
afterAll(() => guestbook?.[Symbol.asyncDispose]())

/** The guestbook answers, and `status` finds nothing wrong. */
const allIsWell = () =>
  eventually('the guestbook is served and all is well', async () => {
    const { status } = await appliance.request('/')
    return status === 200 && (await appliance.json<StatusDocument>('status')).state === 'running'
  })

describe('a daemon', () => {
  afterEach(allIsWell)

  test('adopts what runs already: same pids', async () => {
    const pids = await appliance.pids()
    await daemon.kill()
    for (const pid of Object.values(pids)) expect(isAlive(pid)).toBe(true)
    expect((await appliance.request('/')).status).toBe(200)
    const alone = await appliance.json<StatusDocument>('status')
    expect(alone).toMatchObject({ state: 'degraded', daemon: { running: false }, exit_code: 3 })
    daemon = await appliance.daemon()
    await allIsWell()
    expect(await appliance.pids()).toEqual(pids)
  })

  test('is the only one of its state folder', async () => {
    const second = await appliance.run('daemon')
    expect(second.code).toBe(11)
    expect(second.stderr).toMatch(/^error: The daemon was not started\n {2}why: {2}another daemon runs on /)
    expect(second.stderr).toContain('STATE_IN_USE')
  })

  test.each(['worker', 'web', 'postgres', 'gateway'])(
    'starts the %s again that was killed',
    async (service) => {
      const before = await appliance.pids()
      process.kill(before[service] as number, 'SIGKILL')
      await eventually(`${service} runs again`, async () => {
        const now = (await appliance.pids())[service]
        return now !== undefined && now !== before[service] && isAlive(now)
      })
      await allIsWell()
      const after = await appliance.pids()
      expect({ ...after, [service]: 0 }).toEqual({ ...before, [service]: 0 })
    },
  )

  test('gives commands the same answers as when there is none', async () => {
    const lines = [
      ['up'],
      ['up', '--dry-run'],
      ['up', '--json'],
      ['down', '--dry-run'],
      ['app', 'exec', 'guestbook', 'count'],
      ['--json', 'app', 'remove', 'guestbook', '--dry-run'],
      ['app', 'remove', 'guestbook', '--data'],
      ['app', 'restart', 'wiki'],
      ['app', 'add', 'guestbook', 'nowhere'],
      ['operation', 'resume', 'nothing'],
      ['service', 'off'],
    ]
    const answers = async () => {
      const found: unknown[] = []
      for (const line of lines) {
        const { code, stdout, stderr } = await appliance.run(...line)
        found.push({ line, code, stdout, stderr })
      }
      return found
    }
    const through = await answers()
    await daemon.kill()
    expect(await answers()).toEqual(through)
    daemon = await appliance.daemon()
  })

  test('passes on the output of a program while it runs', async () => {
    const script = 'console.log("first"); setTimeout(() => console.error("last"), 60000)'
    const { child, ran } = appliance.start('app', 'exec', 'guestbook', '--', 'node', '-e', script)
    let said = ''
    child.stdout?.on('data', (part: string) => {
      said += part
    })
    await eventually('the first line comes before the program ends', () => said === 'first\n')
    child.kill('SIGINT')
    expect(await ran).toMatchObject({ code: 130, stdout: 'first\n' })
  })

  test('refuses a --config that it does not follow', async () => {
    const refused = await appliance.run('up', '--config', '/nowhere.yml')
    expect(refused.code).toBe(2)
    expect(refused.stderr).toContain('the daemon follows')
  })

  test('keeps the appliance stopped after down, and starts it at up', async () => {
    await appliance.ok('down')
    await daemon.stop()
    daemon = await appliance.daemon()
    expect(await appliance.json<StatusDocument>('status')).toMatchObject({ state: 'stopped', exit_code: 0 })
    expect(await appliance.pids()).toEqual({})
    await appliance.ok('up')
  })

  test('stops everything on SIGTERM, and starts everything when it comes back', async () => {
    const name = unique('Bob')
    await signOver(appliance, { name, message: 'before the stop' })
    const pids = Object.values(await appliance.pids())
    expect(pids.length).toBe(4)
    expect(await daemon.stop()).toBe(0)
    for (const pid of pids) expect(isAlive(pid)).toBe(false)
    daemon = await appliance.daemon()
    await allIsWell()
    expect((await entriesOf(appliance)).map((entry) => entry.name)).toContain(name)
  })
})

describe('an operation that is interrupted', () => {
  /** Starts a command line and sends the signal as soon as `step` begins. */
  async function interrupt(
    words: readonly string[],
    step: RegExp,
    signal: (child: { kill(): void }) => void,
  ) {
    const { child, ran } = appliance.start(...words, '--progress', 'json')
    let said = ''
    let sent = false
    child.stderr?.on('data', (part: string) => {
      said += part
      if (sent || !said.split('\n').some((line) => line.includes('"step-started"') && step.test(line))) return
      sent = true
      signal({ kill: () => child.kill('SIGINT') })
    })
    return ran
  }

  test('by Ctrl-C waits for the person; operation resume finishes it', async () => {
    await daemon.stop()
    await appliance.ok('down')
    const ran = await interrupt(['up'], /Start the Postgres/, (child) => child.kill())
    expect(ran.code).toBe(130)
    expect(ran.stderr).toContain('code: CANCELLED, exit 130')
    const { unfinished_operations } = await appliance.json<StatusDocument>('status')
    expect(unfinished_operations).toHaveLength(1)
    const [operation = ''] = unfinished_operations
    expect(ran.stderr).toContain(`caretaker operation resume ${operation}`)
    const resumed = await appliance.ok('operation', 'resume', operation)
    expect(resumed.stdout).toBe(`${operation}: done\n`)
    await appliance.ok('up')
    expect((await appliance.request('/')).status).toBe(200)
  })

  test('by Ctrl-C can be taken back', async () => {
    await appliance.ok('down')
    const ran = await interrupt(['up'], /Start the service web/, (child) => child.kill())
    expect(ran.code).toBe(130)
    const [operation = ''] = (await appliance.json<StatusDocument>('status')).unfinished_operations
    const undone = await appliance.ok('operation', 'undo', operation, '--json')
    expect(JSON.parse(undone.stdout)).toMatchObject({ operation, outcome: 'undone', exit_code: 0 })
    expect((await appliance.pids())['web']).toBeUndefined()
    await appliance.ok('up')
  })

  test('by Ctrl-C while the daemon does it waits for the person too', async () => {
    daemon = await appliance.daemon()
    await allIsWell()
    await appliance.ok('down')
    const ran = await interrupt(['up'], /Start the Postgres/, (child) => child.kill())
    expect(ran.code).toBe(130)
    expect(ran.stderr).toContain('code: CANCELLED, exit 130')
    let operation = ''
    // The daemon ends the step under way first, and holds the lock meanwhile.
    await eventually('the operation is paused', async () => {
      const { unfinished_operations } = await appliance.json<StatusDocument>('status')
      operation = unfinished_operations[0] ?? ''
      return unfinished_operations.length === 1
    })
    await appliance.ok('operation', 'resume', operation)
    await appliance.ok('up')
    await allIsWell()
  })

  test('because the daemon stops goes on by itself at the next start', async () => {
    await appliance.ok('down')
    const ran = await interrupt(['up'], /Start the Postgres/, () => process.kill(daemon.pid, 'SIGTERM'))
    expect(ran.code).toBe(130)
    expect(await daemon.ended).toBe(0)
    expect(await appliance.pids()).toEqual({})
    const unfinished = (await appliance.json<StatusDocument>('status')).unfinished_operations
    expect(unfinished).toHaveLength(1)
    daemon = await appliance.daemon()
    await allIsWell()
    const shown = await appliance.json<{ state: string }>('operation', 'show', unfinished[0] ?? '')
    expect(shown.state).toBe('done')
  })
})
