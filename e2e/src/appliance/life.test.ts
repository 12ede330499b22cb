import { COMMANDS } from '@caretaker/cli/commands/all.ts'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type StatusDocument, type TestAppliance, testAppliance } from '../support/appliance.ts'
import { entriesOf, signOver, unique } from '../support/guestbook-https.ts'
import { contentOf } from '../support/observe.ts'
import { isRoot, nobodysWorkshop, ownWorkshop, type Workshop } from '../support/people.ts'

const PEOPLE = [
  { who: isRoot ? 'root' : 'an ordinary user', workshop: ownWorkshop, isNobody: false },
  ...(isRoot ? [{ who: 'the user nobody', workshop: nobodysWorkshop, isNobody: true }] : []),
]

describe.each(PEOPLE)('an appliance of $who', ({ workshop: openWorkshop, isNobody }) => {
  let workshop: Workshop
  let appliance: TestAppliance
  beforeAll(async () => {
    workshop = await openWorkshop()
    appliance = await testAppliance(workshop.person, workshop.dist)
  })
  afterAll(async () => {
    await appliance?.[Symbol.asyncDispose]()
    await workshop?.[Symbol.asyncDispose]()
  })

  test('is made by config create', async () => {
    const { stdout } = await appliance.createConfig()
    expect(stdout).toContain(`${appliance.state}/appliance.yml was written`)
    expect(stdout).toContain('IN MX')
    expect((await contentOf(appliance.state))['appliance.yml']).toMatch(/^100600 /)
    const status = await appliance.run('status')
    expect(status.stdout).toMatch(
      /^localhost: stopped — The appliance has not been started yet\.\n {2}next: caretaker up/,
    )
  })

  test('app add --dry-run shows the steps and changes nothing', async () => {
    const before = await contentOf(appliance.state)
    const { stdout, stderr } = await appliance.ok(...(await addGuestbook()), '--dry-run')
    expect(stdout).toMatch(/1\. Prepare the release .*\n(.*\n)*.*Migrate the data of guestbook/)
    expect(stdout).toContain('Nothing was changed (dry run).')
    expect(stderr).toBe('')
    const after = await contentOf(appliance.state)
    // What was fetched to know the release stays, so that it is not fetched again.
    const kept = Object.entries(after).filter(([name]) => !/^volatile(\/|$)/.test(name))
    expect(Object.fromEntries(kept)).toEqual(before)
  })

  test('app add starts the tag of a git repository, and says each step', async () => {
    const { stdout, stderr } = await appliance.ok(...(await addGuestbook()))
    expect(stdout).toBe('It is served. "caretaker status" shows where.\n')
    expect(stderr).toMatch(/^✓ Prepare the release /m)
    expect(stderr).toMatch(/^✓ Let the gateway serve guestbook at localhost /m)
    expect(stderr).not.toContain('\u001b')
  })

  async function addGuestbook() {
    return ['app', 'add', 'guestbook', await workshop.repository(), '--ref', 'v1', '--host', 'localhost']
  }

  test('status says what is served and that no daemon runs', async () => {
    const { code, stdout } = await appliance.run('status')
    expect(code).toBe(3)
    expect(stdout).toMatch(/^localhost: degraded — daemon: no daemon runs/)
    expect(stdout).toMatch(new RegExp(`^guestbook +1 +serving +https://localhost:${appliance.port}$`, 'm'))
    const { apps, exit_code } = await appliance.json<StatusDocument>('status')
    expect(exit_code).toBe(3)
    expect(apps[0]).toMatchObject({ app: 'guestbook', state: 'serving', version: '1' })
    expect(apps[0]?.services.map(({ service, state }) => `${service} ${state}`)).toEqual([
      'postgres running',
      'web running',
      'worker running',
    ])
  })

  test('keeps entries and files over a stop and a start', async () => {
    const name = unique('Ada')
    const bytes = unique('content')
    expect((await signOver(appliance, { name, message: 'hello' }, { name: 'a.txt', bytes })).status).toBe(303)
    const stopped = await appliance.ok('down')
    expect(stopped.stdout).toBe('Everything is stopped.\n')
    expect(await appliance.pids()).toEqual({})
    await expect(appliance.request('/')).rejects.toThrow(/ECONNREFUSED/)
    expect((await appliance.run('status')).stdout).toMatch(
      /^localhost: stopped — The appliance was stopped\./,
    )
    expect((await appliance.ok('down')).stdout).toBe('Nothing to do: nothing was running.\n')

    expect((await appliance.ok('up')).stdout).toBe('The appliance is up.\n')
    const entry = (await entriesOf(appliance)).find((each) => each.name === name)
    const file = await appliance.request(`/files/${entry?.files[0]?.id}`)
    expect(file).toMatchObject({ status: 200, body: bytes })
  })

  test('up again changes nothing and says so', async () => {
    const pids = await appliance.pids()
    const before = await contentOf(appliance.state)
    const { stdout, stderr } = await appliance.ok('up')
    expect(stdout).toBe('Nothing to do: everything is as the config says.\n')
    expect(stderr).toBe('')
    expect(await appliance.pids()).toEqual(pids)
    const changed = Object.entries(await contentOf(appliance.state)).filter(
      ([name, is]) => before[name] !== is,
    )
    expect(changed.map(([name]) => name).filter((name) => !/^(data|logs|volatile)\//.test(name))).toEqual([])
  })

  test('down --dry-run shows what would stop, and stops nothing', async () => {
    const pids = await appliance.pids()
    const { stdout } = await appliance.ok('down', '--dry-run')
    expect(stdout).toMatch(/Stop the service web of guestbook(.*\n)+.*Stop the gateway/)
    expect(await appliance.pids()).toEqual(pids)
  })

  test('app exec passes on what a program writes, and its failure', async () => {
    expect(await appliance.run('app', 'exec', 'guestbook', 'count')).toMatchObject({ code: 0, stderr: '' })
    const script = 'console.log("out"); console.error("err"); process.exit(7)'
    const ran = await appliance.run('app', 'exec', 'guestbook', '--', 'node', '-e', script)
    expect(ran).toMatchObject({ code: 1, stdout: 'out\n' })
    expect(ran.stderr).toMatch(/^err\nerror: The command did not succeed\n {2}why: {2}it ended with 7\n/)
    const document = await appliance
      .json('app', 'exec', 'guestbook', '--', 'node', '-e', script)
      .catch(String)
    // Behind "--" it belongs to the program.
    expect(document).toContain('SyntaxError')
    const { stdout } = await appliance.run('--json', 'app', 'exec', 'guestbook', '--', 'node', '-e', script)
    expect(JSON.parse(stdout)).toMatchObject({ exit_code: 7, stdout: 'out\n', stderr: 'err\n' })
  })

  test('service mode shows the reason to visitors, and survives a start', async () => {
    await appliance.ok('service', 'on', 'Moving <b>house</b>', '--until', '2099-01-01T00:00:00Z')
    const page = await appliance.request('/', { headers: { accept: 'text/html' } })
    expect(page).toMatchObject({ status: 503 })
    expect(page.body).toContain('Moving &lt;b&gt;house&lt;/b&gt;')
    expect((await appliance.run('status')).stdout).toMatch(
      /^localhost: manual-service — Moving <b>house<\/b>\n {2}planned end: 2099/,
    )
    await appliance.ok('down')
    await appliance.ok('up')
    expect((await appliance.request('/')).status).toBe(503)
    await appliance.ok('service', 'off')
    expect((await appliance.request('/')).status).toBe(200)
  })

  // What is printed does not depend on who reads it: one person is enough.
  test.skipIf(isNobody)(
    'every command prints one JSON document with the fields that are documented',
    async () => {
      const { operations } = await appliance.json<{ operations: { operation: string }[] }>(
        'operation',
        'list',
      )
      const lines: Readonly<Record<string, readonly string[]>> = {
        'app add': ['app', 'add', 'second', await workshop.folder('v2'), '--dry-run'],
        'app show': ['app', 'show', 'guestbook'],
        'app update': ['app', 'update', 'guestbook', '--dry-run', '--no-build'],
        'app history': ['app', 'history', 'guestbook'],
        'app clone': ['app', 'clone', 'guestbook', '--dry-run'],
        'app remove': ['app', 'remove', 'guestbook', '--dry-run'],
        'app logs': ['app', 'logs', 'guestbook'],
        'app exec': ['app', 'exec', 'guestbook', 'count'],
        'app restart': ['app', 'restart', 'guestbook'],
        'app rotate-password': ['app', 'rotate-password', 'guestbook'],
        'config create': ['config', 'create', 'example.org', '--out', 'other.yml'],
        'config export': ['config', 'export', 'exported.yml'],
        'config diff': ['config', 'diff', `${appliance.state}/appliance.yml`],
        'service on': ['service', 'on', 'Moving'],
        'job run': ['job', 'run', 'guestbook.tidy'],
        'job history': ['job', 'history', 'guestbook.tidy'],
        'job logs': ['job', 'logs', 'guestbook.tidy'],
        'operation show': ['operation', 'show', operations[0]?.operation ?? ''],
        completion: ['completion', 'bash'],
      }
      // Each of these has a test of its own: they wait, need a daemon, an unfinished operation, a clone or an earlier release,
      // or change this machine.
      const waiting = ['daemon', 'page', 'job stop', 'operation stop', 'operation resume', 'operation undo']
      const changing = ['app rollback', 'app rehearse', 'clone extend', 'clone remove', 'clone mail']
      const elsewhere = [...waiting, ...changing, 'install', 'uninstall']
      for (const definition of COMMANDS.filter((entry) => !entry.hidden && !elsewhere.includes(entry.name))) {
        const words = lines[definition.name] ?? definition.name.split(' ')
        const ran = await appliance.run('--json', ...words)
        const fields = words.includes('--dry-run') ? definition.dryRunOutput : definition.output
        expect(Object.keys(JSON.parse(ran.stdout)).toSorted(), definition.name).toEqual(
          fields?.map(([name]) => name).toSorted(),
        )
        expect(ran.stderr, definition.name).toBe('')
      }
      await appliance.ok('up')
      expect((await appliance.request('/')).status).toBe(200)
    },
  )

  test('app remove keeps the data, and app add finds it again', async () => {
    const before = await entriesOf(appliance)
    expect(before.length).toBeGreaterThan(0)
    expect((await appliance.ok('app', 'remove', 'guestbook')).stdout).toBe('It is removed.\n')
    expect((await appliance.request('/')).status).not.toBe(200)
    expect((await appliance.ok('app', 'list')).stdout).toContain('No applications.')
    await appliance.ok('app', 'add', 'guestbook', await workshop.folder('v1'), '--host', 'localhost')
    expect(await entriesOf(appliance)).toEqual(before)
  })

  test('app remove --data wants the name once more, then deletes it', async () => {
    for (const words of [[], ['--confirm', 'wiki']]) {
      const refused = await appliance.run('app', 'remove', 'guestbook', '--data', ...words)
      expect(refused.code).toBe(2)
      expect(refused.stderr).toContain('APP_NAME_MISMATCH')
    }
    expect((await appliance.request('/')).status).toBe(200)
    await appliance.ok('app', 'remove', 'guestbook', '--data', '--confirm', 'guestbook')
    const names = Object.keys(await contentOf(appliance.state)).filter((name) =>
      name.startsWith('data/units/guestbook'),
    )
    expect(names).toEqual([])
  })
})
