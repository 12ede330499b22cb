import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { LABEL } from '@caretaker/appliance/runtime/docker/compose-file.ts'
import type { TestEngine } from '@caretaker/appliance/runtime/docker/testing/engine.fixture.ts'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { StatusDocument } from '../support/appliance.ts'
import { signOver } from '../support/guestbook-https.ts'
import { eventually } from '../support/observe.ts'
import { startClient } from '../writer/client-process.ts'
import { judge } from '../writer/judge.ts'
import { makeOwnBase, OWN_BASE, relabel, type UpdateBed, updateBed } from './bed.ts'
import { foundIn, heldBy } from './data.ts'
import { constantLoad, unheld } from './load.ts'

const PER_SECOND = 50

describe.each(['docker', 'process'] as const)('guestbook on %s and btrfs', (runtime) => {
  let bed: UpdateBed
  beforeAll(async () => {
    bed = await updateBed(runtime)
  }, 400_000)
  afterAll(() => bed?.[Symbol.asyncDispose]())

  const version = async () => (await bed.appliance.json<StatusDocument>('status')).apps[0]?.version
  const snapshots = async () => {
    const { snapshots: known } = await bed.appliance.json<{ snapshots: { name: string }[] }>(
      'app',
      'show',
      'guestbook',
    )
    return known
  }

  test('a code-only update at constant load: no request fails, and nothing of the old slot is left', async () => {
    const load = constantLoad(bed.appliance, { path: '/entries.json', perSecond: PER_SECOND })
    for (const label of ['1.1', '1.2']) {
      await bed.offer('v1', (folder) => relabel(folder, label))
      const ran = await bed.update()
      expect(ran, ran.stderr).toMatchObject({ code: 0 })
      expect(await version()).toBe(label)
      if (bed.engine) expect(leftIn(bed.engine)).toEqual(label === '1.1' ? IN_SLOT_B : IN_SLOT_A)
    }
    const { sent, failures } = await load.stop()
    expect(failures).toEqual([])
    expect(sent).toBeGreaterThan(100)
  }, 400_000)

  test('an update with a migration under a writing client: nothing acknowledged is lost', async () => {
    await using client = startClient(bed.appliance, [1_500])
    await eventually('it writes', async () => client.memories().some(({ kind }) => kind === 'entry'))
    await bed.offer('v2')
    const ran = await bed.update()
    expect(ran, ran.stderr).toMatchObject({ code: 0 })
    const memories = await client.finish()
    expect(await version()).toBe('2')
    expect(judge(memories, await foundIn(bed.appliance))).toEqual([])
    expect(memories.filter(({ kind }) => kind === 'number').length).toBeGreaterThan(20)
    if (bed.engine) expect(leftIn(bed.engine)).toEqual(IN_SLOT_B)
  }, 400_000)

  /** Left out in processes, which is no test that was skipped. */
  const onlyInContainers: typeof test | (() => void) = runtime === 'docker' ? test : () => undefined

  test('an update whose migration fails half-way ends as if it had not been tried', async () => {
    for (const message of ['once', 'twice'])
      await signOver(bed.appliance, { name: 'Ada', message }, { name: 'a.txt', bytes: message })
    const old = await version()
    const before = await heldBy(bed.appliance)
    const had = bed.engine && leftIn(bed.engine)
    const pages = await bed.appliance.request('/entries.json')
    await bed.offer('v3')
    const load = constantLoad(bed.appliance, { path: '/entries.json', perSecond: 5 })
    const ran = await bed.update()
    const { failures } = await load.stop()
    expect(ran, ran.stderr).toMatchObject({ code: 4 })
    expect(ran.stderr).toContain('MIGRATION_FAILED')
    expect(unheld(failures)).toEqual([])
    expect(await heldBy(bed.appliance)).toEqual(before)
    expect((await bed.appliance.request('/entries.json')).body).toBe(pages.body)
    expect(await version()).toBe(old)
    expect((await snapshots()).filter(({ name }) => name.startsWith('failed-'))).toHaveLength(1)
    if (bed.engine) expect(leftIn(bed.engine)).toEqual(had)
  }, 400_000)

  onlyInContainers(
    'images that were pruned during a migration: the way back says what is missing, and builds them again as soon as it can',
    async () => {
      const engine = bed.engine as TestEngine
      const before = await heldBy(bed.appliance)
      const old = await version()
      await bed.offer('v3', failWhenTold)
      const updating = bed.update()
      await prunedWhileMigrating(engine)
      const ran = await updating
      expect(ran, ran.stderr).toMatchObject({ code: 5 })
      expect(ran.stderr).toContain('BUILD_FAILED')
      expect(ran.stderr).toContain(OWN_BASE)
      expect((await bed.appliance.request('/entries.json')).status).toBe(503)

      const [, operation = ''] =
        /caretaker operation undo (\S+)/.exec((await bed.appliance.run('up')).stderr) ?? []
      expect((await bed.appliance.run('operation', 'undo', operation)).code).toBe(5)
      const refused = await bed.appliance.run('app', 'restart', 'guestbook')
      expect(refused.stderr.split('was not built').length - 1, refused.stderr).toBe(1)

      makeOwnBase(engine)
      const up = await bed.appliance.run('up')
      // It says that the change was taken back, as "app update" would have.
      expect(up, up.stderr).toMatchObject({ code: 4 })
      expect(await version()).toBe(old)
      expect(await heldBy(bed.appliance)).toEqual(before)
    },
    400_000,
  )

  onlyInContainers(
    'images that were pruned before a rollback are built again first, and without what they need nothing stops',
    async () => {
      const engine = bed.engine as TestEngine
      const rollback = ['app', 'rollback', 'guestbook', '--with-data', '--confirm', 'guestbook']
      engine.run('system', 'prune', '--all', '--force')
      const running = engine.run('ps', '--quiet')
      const doctor = await bed.appliance.run('doctor')
      expect(doctor.stdout).toMatch(/way back.*guestbook 1.*not on this machine/)

      const ran = await bed.appliance.run(...rollback)
      expect(ran, ran.stderr).toMatchObject({ code: 1 })
      expect(ran.stderr).toContain(`then "caretaker ${rollback.join(' ')}"`)
      expect(engine.run('ps', '--quiet')).toBe(running)
      expect((await bed.appliance.request('/entries.json')).status).toBe(200)

      makeOwnBase(engine)
      await bed.appliance.ok(...rollback)
      expect(await version()).toMatch(/^1/)
      expect((await bed.appliance.request('/entries.json')).status).toBe(200)
    },
    400_000,
  )

  test('down leaves nothing with the engine', async () => {
    await bed.appliance.ok('down')
    if (bed.engine) expect(leftIn(bed.engine)).toEqual({ containers: [], networks: [], volumes: [] })
    await bed.appliance.ok('up')
    expect((await bed.appliance.request('/entries.json')).status).toBe(200)
  })
})

const VOLUMES = ['files', 'thumbs']
const IN_SLOT_A = {
  containers: ['guestbook-postgres', 'guestbook-web', 'guestbook-worker'],
  networks: ['guestbook'],
  volumes: VOLUMES.map((name) => `guestbook-${name}`),
}
const IN_SLOT_B = {
  containers: ['guestbook-postgres', 'guestbook_b-web', 'guestbook_b-worker'],
  networks: ['guestbook_b'],
  volumes: VOLUMES.map((name) => `guestbook_b-${name}`),
}

/** The migration of a release waits until it is told to fail. */
async function failWhenTold(folder: string): Promise<void> {
  const program = `
    import { existsSync, writeFileSync } from 'node:fs'
    if (process.argv.includes('--check')) process.exit(10)
    writeFileSync('/tmp/migrating', '')
    while (!existsSync('/tmp/fail')) await new Promise((resolve) => setTimeout(resolve, 50))
    console.error('it was told to fail')
    process.exit(1)
  `
  await writeFile(join(folder, 'migrate.mjs'), program)
}

/** Waits for the migration of {@link failWhenTold}, prunes what nothing runs from, and lets it fail. */
async function prunedWhileMigrating(engine: TestEngine): Promise<void> {
  let id = ''
  await eventually('it migrates', () => {
    id = engine.run('ps', '--quiet', '--filter', `label=${LABEL.once}`).trim()
    engine.run('exec', id, 'cat', '/tmp/migrating')
    return true
  })
  engine.run('system', 'prune', '--all', '--force')
  engine.run('exec', id, 'touch', '/tmp/fail')
}

/** What the engine has of guestbook: containers, networks, volumes by their names without the appliance. */
function leftIn(engine: NonNullable<UpdateBed['engine']>) {
  const names = (...words: readonly string[]) =>
    engine
      .run(...words)
      .split('\n')
      .filter((name) => name.startsWith('caretaker-'))
      .map((name) => name.replace(/^caretaker-[0-9a-f]{8}-/, '').replace(/-[0-9a-f]{8}$/, ''))
      .toSorted()
  return {
    containers: names('ps', '-a', '--format', '{{.Names}}'),
    networks: names('network', 'ls', '--format', '{{.Name}}'),
    volumes: names('volume', 'ls', '--format', '{{.Name}}'),
  }
}
