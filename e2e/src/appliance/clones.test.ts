import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { TestAppliance } from '../support/appliance.ts'
import { atClone, cloneUnderWriter } from '../support/clone-under-writer.ts'
import { guestbookAppliance } from '../support/guestbook-appliance.ts'
import { eventually } from '../support/observe.ts'

test('clones of an application that goes on serving hold all that it had acknowledged', async () => {
  await using guestbook = await guestbookAppliance()
  const { appliance } = guestbook
  const before = await appliance.pids()
  await cloneUnderWriter(appliance, 2)
  expect(await appliance.pids()).toEqual(before)
  expect(await readdir(join(appliance.state, 'data/units'))).toEqual(['guestbook'])
  expect(await readdir(join(appliance.state, 'clones'))).toEqual([])
  expect((await appliance.json<{ clones: unknown }>('clone', 'list')).clones).toEqual([])
}, 600_000)

test('a clone that was being made when everything was killed is finished or gone after the next start', async () => {
  await using guestbook = await guestbookAppliance()
  const { appliance } = guestbook
  for (const kind of ['clone.create', 'postgres.start', 'service.start', 'clone.open']) {
    const { child, ran } = appliance.start('app', 'clone', 'guestbook', '--name', 'copy')
    await eventually(`${kind} has begun`, async () =>
      (await lastJournal(appliance)).includes(`/${kind}","before"`),
    )
    child.kill('SIGKILL')
    await ran
    await appliance.ok('up')
    const { clones } = await appliance.json<{ clones: readonly { clone: string; state: string }[] }>(
      'clone',
      'list',
    )
    const units = await readdir(join(appliance.state, 'data/units'))
    if (clones.length > 0) {
      expect(clones).toMatchObject([{ clone: 'copy', state: 'ready' }])
      expect((await atClone(appliance, 'copy', '/')).status).toBe(200)
      expect(units.toSorted()).toEqual(['copy', 'guestbook'])
      await appliance.ok('clone', 'remove', 'copy')
    } else expect(units, `killed in ${kind}`).toEqual(['guestbook'])
    expect((await appliance.request('/health')).status).toBe(200)
  }
}, 600_000)

/** The journal of the operation that began last, as long as it is one of a clone. */
async function lastJournal({ state }: TestAppliance): Promise<string> {
  const folder = join(state, 'operations')
  const last =
    (await readdir(folder))
      .filter((name) => name.endsWith('.jsonl'))
      .toSorted()
      .at(-1) ?? ''
  return last.includes('-clone-guestbook-') ? readFile(join(folder, last), 'utf8') : ''
}
