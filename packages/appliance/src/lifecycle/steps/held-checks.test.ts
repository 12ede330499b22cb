import { FakeClock } from '@caretaker/ports/fake-clock.ts'
import { MemoryFiles } from '@caretaker/ports/memory-files.ts'
import { expect, test } from 'vitest'
import { createBtrfsStorage } from '../../storage/btrfs.ts'
import { fakeBtrfs } from '../../storage/fake-btrfs.fixture.ts'
import { updateAppRecord } from '../app-records.ts'
import type { Appliance } from '../appliance.ts'
import { dataSwitch } from './data-switch.ts'
import { snapshotTake } from './snapshot-take.ts'

const APPS = '/state/apps'
const CONTEXT = { signal: new AbortController().signal, progress: () => undefined }

/** An appliance with the unit and the snapshot `first` of guestbook on btrfs, where measuring files fails. */
async function applianceWithSnapshot(): Promise<Appliance> {
  const files = new MemoryFiles()
  files.diskSpace = { ...files.diskSpace, fileSystem: 'btrfs' }
  files.treeSize = () => Promise.reject(new Error('it went through all files while visitors waited'))
  const storage = createBtrfsStorage({
    files,
    clock: new FakeClock(),
    processes: fakeBtrfs(files),
    machine: { user: () => ({ uid: 0, gid: 0, name: 'root' }) },
    root: '/state/data',
    warnPercent: 80,
    reservePercent: 10,
  })
  await storage.initialise('a-1')
  await storage.createUnit('guestbook')
  await storage.snapshot('guestbook', 'first')
  await files.makeFolder(APPS)
  const kept = [{ snapshot: 'first', kind: 'before-rollback', since: '', until: '' } as const]
  await updateAppRecord(files, APPS, 'guestbook', { kept })
  return { storage, ports: { files }, folders: { apps: APPS } } as unknown as Appliance
}

test('while visitors wait, nobody measures the files of snapshots to know what is done', async () => {
  const appliance = await applianceWithSnapshot()
  const [take, change] = [snapshotTake(appliance), dataSwitch(appliance)]
  const switched = { app: 'guestbook', releaseId: '1-a', snapshot: 'before', failedAs: 'failed' }
  expect(await take.check({ app: 'guestbook', snapshot: 'first' }, CONTEXT)).toEqual({ state: 'done' })
  expect(await take.check({ app: 'guestbook', snapshot: 'second' }, CONTEXT)).toMatchObject({
    state: 'needed',
  })
  expect(await change.check({ ...switched, keepAs: 'first' }, CONTEXT)).toEqual({ state: 'done' })
  expect(await change.check({ ...switched, keepAs: 'second' }, CONTEXT)).toMatchObject({ state: 'needed' })
})
