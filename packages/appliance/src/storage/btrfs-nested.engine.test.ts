import { afterAll, beforeAll, expect, test } from 'vitest'
import { openPostgresLab, type PostgresLab } from '../database/postgres.fixture.ts'
import { btrfsCommands, runBtrfs } from './btrfs-program.ts'
import { type BtrfsVolume, openBtrfsVolume } from './btrfs-volume.fixture.ts'
import type { StorageLab } from './conformance.ts'
import { readNote, treeHash, unitWithNote } from './conformance-unit.ts'
import { storageLab } from './storage-lab.fixture.ts'

const SIZE_MIB = 256

let postgres: PostgresLab
let volume: BtrfsVolume

beforeAll(async () => {
  postgres = await openPostgresLab([])
  volume = await openBtrfsVolume(postgres.ports, SIZE_MIB)
})
afterAll(async () => {
  await postgres?.[Symbol.asyncDispose]()
  await volume?.[Symbol.asyncDispose]()
})

/** The subvolumes of the whole volume. */
async function subvolumes(): Promise<readonly string[]> {
  const listed = await runBtrfs(postgres.ports.processes, btrfsCommands.list(volume.path))
  return listed.split('\n').filter((line) => line !== '')
}

/** The application makes a subvolume in its files, and in that another one that it closes. */
async function nest(lab: StorageLab, unit: string): Promise<void> {
  const { files, processes } = postgres.ports
  const outer = `${unit}/files/notes/own volume`
  for (const path of [outer, `${outer}/inner`]) {
    await runBtrfs(processes, btrfsCommands.create(path))
    await files.write(`${path}/precious.txt`, path.slice(unit.length))
    if (lab.postgres.owner) await files.setOwner(path, lab.postgres.owner)
  }
  await runBtrfs(processes, btrfsCommands.setReadOnly(`${outer}/inner`, true))
}

test('a subvolume that an application made: no snapshot without it, and switches keep it', async () => {
  await using lab = storageLab('btrfs', postgres, volume.path)
  const { files } = postgres.ports
  const storage = await unitWithNote(lab)
  const unit = storage.unitPath('app')
  await storage.snapshot('app', 'plain')
  await nest(lab, unit)
  const nested = await treeHash(files, unit)
  await expect(storage.snapshot('app', 'second')).rejects.toMatchObject({
    code: 'STORAGE_NESTED',
    why: expect.stringContaining('files/notes/own volume'),
  })
  expect(await lab.litter()).toEqual([])

  // The way back is not refused, and nothing of the present state is lost by it.
  await storage.switchTo('app', 'plain', 'with-nested')
  expect(await readNote(lab, unit)).toBe('one')
  await storage.writableCopy('app', 'with-nested', 'copy')
  expect(await treeHash(files, storage.unitPath('copy'))).toBe(nested)
  await storage.switchTo('app', 'with-nested', 'plain-again')
  expect(await treeHash(files, unit)).toBe(nested)

  await storage.removeSnapshot('app', 'with-nested')
  expect(await treeHash(files, unit)).toBe(nested)
  await storage.removeUnit('copy')
  await storage.removeUnit('app')
  expect(await lab.litter()).toEqual([])
  expect(await subvolumes()).toEqual([])
})
