import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { testAppliance } from '../support/appliance.ts'
import { dataOnBtrfs } from '../support/btrfs.ts'
import { cloneUnderWriter } from '../support/clone-under-writer.ts'
import { ownWorkshop } from '../support/people.ts'

test('on btrfs a clone is of one instant, and leaves no subvolume and no snapshot behind', async () => {
  await using disposables = new AsyncDisposableStack()
  const workshop = disposables.use(await ownWorkshop())
  const appliance = await testAppliance()
  await appliance.createConfig()
  disposables.use(await dataOnBtrfs(appliance))
  disposables.use(appliance)
  await appliance.ok('app', 'add', 'guestbook', await workshop.folder('v1'), '--host', 'localhost')
  await appliance.ok('up')
  const { stdout } = await appliance.ok('app', 'clone', 'guestbook', '--dry-run')
  expect(stdout).toContain('as they are at one instant')
  await cloneUnderWriter(appliance, 3)
  const shown = await appliance.json<{ snapshots: unknown }>('app', 'show', 'guestbook')
  expect(shown.snapshots).toEqual([])
  const { storage } = await appliance.json<{ storage: { folder: string } }>('status')
  expect(await readdir(join(storage.folder, 'units'))).toEqual(['guestbook'])
}, 600_000)
