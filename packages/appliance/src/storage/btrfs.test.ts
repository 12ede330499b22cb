import { FakeClock } from '@caretaker/ports/fake-clock.ts'
import { FakeProcesses } from '@caretaker/ports/fake-processes.ts'
import { MemoryFiles } from '@caretaker/ports/memory-files.ts'
import { expect, test } from 'vitest'
import { createBtrfsStorage } from './btrfs.ts'
import { createDirectoryStorage } from './directory.ts'

const ROOT = '/state/data'

function machineWith(uid: number, fileSystem = 'btrfs') {
  const files = new MemoryFiles()
  files.diskSpace = { ...files.diskSpace, fileSystem }
  const processes = new FakeProcesses()
  const user = { uid, gid: uid, name: uid === 0 ? 'root' : 'ada' }
  const options = { files, clock: new FakeClock(), root: ROOT, warnPercent: 80, reservePercent: 10 }
  return {
    files,
    processes,
    btrfs: createBtrfsStorage({ ...options, processes, machine: { user: () => user } }),
    directory: createDirectoryStorage(options),
  }
}

test('who is not root is told so', async () => {
  const { btrfs } = machineWith(1000)
  await expect(btrfs.assertUsable()).rejects.toMatchObject({
    code: 'STORAGE_NEEDS_ROOT',
    why: expect.stringContaining('this runs as ada'),
  })
})

test('a data folder on another file system is refused with what was found, before anything is written', async () => {
  const { btrfs, files } = machineWith(0, 'ext4')
  await expect(btrfs.initialise('a-1')).rejects.toMatchObject({
    code: 'STORAGE_FILE_SYSTEM',
    why: '/, which would hold it, lies on ext4, not on btrfs',
    next: expect.stringContaining('mkfs.btrfs'),
  })
  await files.makeFolder(ROOT)
  await expect(btrfs.assertUsable()).rejects.toMatchObject({ why: 'it lies on ext4, not on btrfs' })
  expect(await files.list(ROOT)).toEqual([])
})

test('without the program the package is named', async () => {
  const { btrfs, processes } = machineWith(0)
  processes.on('btrfs', 'missing')
  await expect(btrfs.assertUsable()).rejects.toMatchObject({
    code: 'COMMAND_NOT_FOUND',
    exitCode: 10,
    next: expect.stringContaining('apt install btrfs-progs'),
  })
})

test('a volume of the other back end is refused both ways and stays as it is', async () => {
  for (const [made, other] of [
    ['directory', 'btrfs'],
    ['btrfs', 'directory'],
  ] as const) {
    const { files, ...storages } = machineWith(0)
    await storages[made].initialise('a-1')
    const before = await files.readText(`${ROOT}/caretaker.json`)
    expect(await storages[other].identify('a-1')).toMatchObject({
      state: 'other-backend',
      why: `${ROOT} was made by the back end "${made}", the config says "${other}", and nothing is converted`,
    })
    await expect(storages[other].initialise('a-1')).rejects.toMatchObject({ code: 'STORAGE_OTHER_BACKEND' })
    expect(await files.readText(`${ROOT}/caretaker.json`)).toBe(before)
    expect(await storages[other].identify('a-2')).toMatchObject({ state: 'foreign' })
  }
})

test('a volume from before back ends were written down is one of folders', async () => {
  const { files, directory, btrfs } = machineWith(0)
  const marker = { format: 1, appliance_id: 'a-1', created_at: '2026-01-01T00:00:00Z' }
  await files.makeFolder(ROOT)
  await files.write(`${ROOT}/caretaker.json`, JSON.stringify(marker))
  expect(await directory.identify('a-1')).toMatchObject({ state: 'ours' })
  expect(await btrfs.identify('a-1')).toMatchObject({ state: 'other-backend' })
})
