import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { StatusDocument } from '../support/appliance.ts'
import { eventually } from '../support/observe.ts'
import { query } from '../support/postgres.ts'
import { startClient, type WriterClient } from '../writer/client-process.ts'
import { judge } from '../writer/judge.ts'
import { relabel, type UpdateBed, updateBed } from './bed.ts'
import { databaseUrl, foundIn } from './data.ts'

let bed: UpdateBed
let client: WriterClient
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

/** Only the end of its server ends it. */
const ENDLESS = 'do $$ begin loop perform 1; end loop; end $$;\n'

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

test.each([
  ['release.stop', '1.1'],
  ['data.migrate', '1.2'],
  ['service.start', '1.3'],
])(
  'dockerd killed with SIGKILL in the middle of %s: old or new, whole, by itself',
  async (kind, label) => {
    const { appliance, engine } = bed
    const table = `kept_${label.replace('.', '_')}`
    const old = (await shown()).apps[0]?.version
    await bed.offer('v1', async (folder) => {
      await relabel(folder, label)
      // What an earlier release had, a later one has too.
      for (let count = 1; count <= Number(label.slice(2)); count += 1) {
        const file = join(folder, `migrations/10${count}_more.sql`)
        // One that would never end: it is under way when the engine dies.
        const endless = kind === 'data.migrate' && count === Number(label.slice(2)) ? ENDLESS : ''
        await writeFile(file, `create table kept_1_${count} (n int);\n${endless}`)
      }
    })
    const known = await readdir(join(appliance.state, 'operations'))
    const updating = bed.update()
    await begun(kind, known)
    await engine?.kill('dockerd')
    // What systemd does with the service of the engine.
    await engine?.restart()
    const ran = await updating
    await appliance.ok('up')
    const now = await shown()
    // None runs here.
    expect(now.parts.map(({ part }) => part)).toEqual(['daemon'])
    const isNew = now.apps[0]?.version === label
    if (!isNew) expect(now.apps[0]?.version).toBe(old)
    expect(ran.code, ran.stderr).toBe(isNew ? 0 : 4)
    const tables = await query(
      await databaseUrl(appliance, 'guestbook'),
      `select 1 from pg_tables where tablename = '${table}'`,
    )
    expect(tables).toHaveLength(isNew ? 1 : 0)
    expect(bed.engine?.run('ps', '-a', '--filter', 'label=caretaker.once', '-q').trim()).toBe('')
  },
  600_000,
)

test('nothing that was acknowledged on the way is lost', async () => {
  const memories = await client.finish()
  expect(judge(memories, await foundIn(bed.appliance))).toEqual([])
  expect(memories.filter(({ kind }) => kind === 'number').length).toBeGreaterThan(50)
}, 200_000)
