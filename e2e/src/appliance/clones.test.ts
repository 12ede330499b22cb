import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { cloneUnderWriter } from '../support/clone-under-writer.ts'
import { guestbookAppliance } from '../support/guestbook-appliance.ts'

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
