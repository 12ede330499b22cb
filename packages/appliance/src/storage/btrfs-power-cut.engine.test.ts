import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openPostgresLab, type PostgresLab } from '../database/postgres.fixture.ts'
import { type BtrfsVolume, openBtrfsVolume } from './btrfs-volume.fixture.ts'
import type { StorageCall, StorageLab } from './conformance.ts'
import { repeat } from './conformance-interruption.ts'
import { readNote, unitWithNote, writeNote } from './conformance-unit.ts'
import type { Storage } from './storage.ts'
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

/** Unit `app` with the snapshot `first` (note "one"), and the note "two" in force and on disk. */
async function prepared(): Promise<StorageLab> {
  const lab = storageLab('btrfs', postgres, volume.path)
  const storage = await unitWithNote(lab)
  await storage.snapshot('app', 'first')
  await writeNote(lab, storage, 'two')
  await postgres.ports.files.sync(`${storage.unitPath('app')}/files/notes/note.txt`)
  return lab
}

const SWITCH: StorageCall = ['switchTo', 'app', 'first', 'kept']
const SNAPSHOT: StorageCall = ['snapshot', 'app', 'second']

describe('the power fails on a real btrfs', () => {
  test('before any change of a switch: OLD or NEW, nothing lost, and it can be repeated', async () => {
    const seen = new Set<string | undefined>()
    for (let at = 0, completed = false; !completed; at++) {
      await using lab = await prepared()
      completed = (await lab.interrupt(SWITCH, at)) === 'completed'
      await volume.cutPower()
      const storage = lab.open()
      await storage.repair()
      expect(await lab.litter(), `cut before change ${at}`).toEqual([])
      const current = await readNote(lab, storage.unitPath('app'))
      seen.add(current)
      if (completed) expect(current).toBe('one')
      else await repeat(storage, SWITCH)
      await expectSwitched(lab, storage)
    }
    expect(seen).toEqual(new Set(['one', 'two']))
  }, 600_000)

  test('right after a call returned: what it did is there', async () => {
    await using lab = await prepared()
    await repeat(lab.open(), SNAPSHOT)
    await volume.cutPower()
    expect(await readNote(lab, await lab.open().snapshotPath('app', 'second'))).toBe('two')

    await repeat(lab.open(), SWITCH)
    await volume.cutPower()
    await expectSwitched(lab, lab.open())

    await repeat(lab.open(), ['writableCopy', 'app', 'kept', 'copy'])
    await volume.cutPower()
    expect(await readNote(lab, lab.open().unitPath('copy'))).toBe('two')

    await repeat(lab.open(), ['removeSnapshot', 'app', 'second'])
    await repeat(lab.open(), ['createUnit', 'fresh'])
    await repeat(lab.open(), ['removeUnit', 'copy'])
    await volume.cutPower()
    const storage = lab.open()
    expect(await storage.listUnits()).toEqual(['app', 'fresh'])
    expect((await storage.listSnapshots('app')).map(({ name }) => name)).toEqual(['first', 'kept'])
    expect(await storage.leftovers()).toEqual([])
  })
})

async function expectSwitched(lab: StorageLab, storage: Storage): Promise<void> {
  expect(await readNote(lab, storage.unitPath('app'))).toBe('one')
  expect(await readNote(lab, await storage.snapshotPath('app', 'first'))).toBe('one')
  expect(await readNote(lab, await storage.snapshotPath('app', 'kept'))).toBe('two')
}
