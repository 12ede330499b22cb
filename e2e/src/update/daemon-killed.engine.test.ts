import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { DaemonProcess, StatusDocument } from '../support/appliance.ts'
import { eventually } from '../support/observe.ts'
import { holdAdvisoryLock, query } from '../support/postgres.ts'
import { startClient, type WriterClient } from '../writer/client-process.ts'
import { judge } from '../writer/judge.ts'
import { relabel, type UpdateBed, updateBed } from './bed.ts'
import { databaseUrl, foundIn } from './data.ts'

let bed: UpdateBed
let client: WriterClient
let daemon: DaemonProcess | undefined
beforeAll(async () => {
  bed = await updateBed('docker')
  client = startClient(bed.appliance, [1_500])
  const hasWritten = async () => client.memories().some(({ kind }) => kind === 'entry')
  await eventually('it writes', hasWritten, 60_000)
}, 400_000)
afterAll(async () => {
  await client?.[Symbol.asyncDispose]()
  await bed?.[Symbol.asyncDispose]()
})

/** Exit code of a command that finds the lock held. */
const LOCKED = 11
/** What the migration waits for, while a test holds it. */
const LOCK = 4242

/** Whether the database has what the migration of the new release makes. */
async function isMigrated(): Promise<boolean> {
  const asked = "select 1 from pg_tables where tablename = 'more'"
  return (await query(await databaseUrl(bed.appliance, 'guestbook'), asked)).length > 0
}

const shown = () => bed.appliance.json<StatusDocument>('status')

/** Waits until a step of this kind of the newest update is under way. */
async function begun(kind: string, known: readonly string[]): Promise<void> {
  const folder = join(bed.appliance.state, 'operations')
  await eventually(
    `${kind} is under way`,
    async () => {
      const fresh = (await readdir(folder)).find((name) => name.includes('-update-') && !known.includes(name))
      if (!fresh) return false
      const text = await readFile(join(folder, fresh), 'utf8')
      return new RegExp(`"step-started","at":"[^"]*","step":"[^"]*${kind}`).test(text)
    },
    300_000,
  )
}

/** Begins an update and gives its command line, whose migration is under way, or waits for {@link LOCK}. */
async function migrating() {
  await bed.offer('v1', async (folder) => {
    await relabel(folder, '1.1')
    await writeFile(
      join(folder, 'migrations/101_more.sql'),
      `create table more (n int);\nselect pg_advisory_xact_lock(${LOCK});\n`,
    )
  })
  const known = await readdir(join(bed.appliance.state, 'operations'))
  const { child } = bed.appliance.start('app', 'update', 'guestbook', '--no-rehearsal', 'a test')
  await begun('data.migrate', known)
  return child
}

test.each(['command line', 'daemon'])(
  'the %s killed in an update through the daemon: the old release is back by itself, whole',
  async (killed) => {
    daemon ??= await bed.appliance.daemon()
    const old = (await shown()).apps[0]?.version
    await using _ = await holdAdvisoryLock(await databaseUrl(bed.appliance, 'guestbook'), LOCK)
    const child = await migrating()
    if (killed === 'daemon') {
      await daemon.kill()
      child.kill('SIGKILL')
      // What systemd does with the service of the appliance.
      daemon = await bed.appliance.daemon()
    } else child.kill('SIGKILL')
    await eventually('it runs again', async () => (await shown()).state === 'running', 300_000)
    expect((await shown()).apps[0]?.version).toBe(old)
    expect(await isMigrated()).toBe(false)
  },
  600_000,
)

test('the same update succeeds after that', async () => {
  const ran = { code: undefined as number | null | undefined, stderr: '' }
  // What the daemon still has in hand is waited for; nothing else stands in the way of an update.
  const isBegun = async () => Object.assign(ran, await bed.update()).code !== LOCKED
  await eventually('nothing else is under way', isBegun, 300_000)
  expect(ran.code, ran.stderr).toBe(0)
  expect((await shown()).apps[0]?.version).toBe('1.1')
  expect(await isMigrated()).toBe(true)
}, 600_000)

test('nothing that was acknowledged on the way is lost', async () => {
  const memories = await client.finish()
  expect(judge(memories, await foundIn(bed.appliance))).toEqual([])
  expect(memories.filter(({ kind }) => kind === 'number').length).toBeGreaterThan(50)
}, 200_000)
