import { toAppError } from '@caretaker/kernel/errors.ts'
import { MIB } from '@caretaker/kernel/units.ts'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openPostgresLab, type PostgresLab } from '../database/postgres.fixture.ts'
import { openBtrfsVolume } from './btrfs-volume.fixture.ts'
import { readNote, unitWithNote, writeNote } from './conformance-unit.ts'
import type { Storage } from './storage.ts'
import { storageLab } from './storage-lab.fixture.ts'

const SIZE_MIB = 256
/** Small enough for btrfs to keep the content with its records, in metadata. */
const INLINE_BYTES = 1800

let postgres: PostgresLab

beforeAll(async () => {
  postgres = await openPostgresLab([])
})
afterAll(async () => postgres?.[Symbol.asyncDispose]())

async function openFull() {
  await using disposables = new AsyncDisposableStack()
  const volume = disposables.use(await openBtrfsVolume(postgres.ports, SIZE_MIB))
  const lab = disposables.use(storageLab('btrfs', postgres, volume.path))
  const storage = await unitWithNote(lab)
  await storage.snapshot('app', 'before')
  await writeNote(lab, storage, 'two')
  const all = disposables.move()
  return { lab, storage, [Symbol.asyncDispose]: () => all.disposeAsync() }
}

/** Writes files of a size until the disk is full; gives how many there were room for. */
async function fill(folder: string, bytes: number, until: () => Promise<boolean>): Promise<number> {
  const { files } = postgres.ports
  await files.makeFolder(folder)
  for (let number = 0; ; number++) {
    if (number % 500 === 0 && (await until())) return number
    try {
      await files.write(`${folder}/${number}`, Buffer.alloc(bytes, number))
      if (number % 500 === 0) await files.sync(`${folder}/${number}`)
    } catch (error) {
      expect(toAppError(error).code).toBe('DISK_FULL')
      return number
    }
  }
}

const never = async () => false
const notesOf = (storage: Storage) => `${storage.unitPath('app')}/files/notes`

describe('a full btrfs', () => {
  test('full of data: said, refused, and the way back still works', async () => {
    await using full = await openFull()
    const { lab, storage } = full
    expect(await storage.space()).toMatchObject({ warn: false, belowReserve: false })
    await fill(`${notesOf(storage)}/large`, MIB, never)
    const space = await storage.space()
    expect(space).toMatchObject({ warn: true, belowReserve: true })
    expect(space.usedRatio).toBeGreaterThan(0.9)
    expect(space.metadata?.usedRatio).toBeLessThan(0.8)
    await expect(storage.reserve(0)).rejects.toMatchObject({ code: 'STORAGE_SPACE', exitCode: 75 })

    await storage.switchTo('app', 'before', 'failed')
    expect(await readNote(lab, storage.unitPath('app'))).toBe('one')
    expect(await readNote(lab, await storage.snapshotPath('app', 'failed'))).toBe('two')
    await storage.removeSnapshot('app', 'failed')
    expect((await storage.listSnapshots('app')).map(({ name }) => name)).toEqual(['before'])
  })

  test('full of metadata while there is room for data: warned, then refused, and never half of anything', async () => {
    await using full = await openFull()
    const { lab, storage } = full
    // Nearly all blocks become data, and are free again within their block groups.
    const ballast = `${notesOf(storage)}/large`
    await fill(ballast, MIB, never)
    const keep = await postgres.ports.files.list(ballast)
    for (const [index, { name }] of (keep ?? []).entries())
      if (index % 2 === 1) await postgres.ports.files.remove(`${ballast}/${name}`)
    await postgres.ports.files.sync(ballast)

    await fill(`${notesOf(storage)}/small`, INLINE_BYTES, async () => (await storage.space()).warn)
    const warned = await storage.space()
    expect(warned.availableBytes).toBeGreaterThan(SIZE_MIB * MIB * 0.2)
    expect(warned.metadata?.usedRatio).toBeGreaterThan(0.79)
    await fill(`${notesOf(storage)}/more`, INLINE_BYTES, async () => (await storage.space()).belowReserve)
    await expect(storage.reserve(0)).rejects.toMatchObject({
      code: 'STORAGE_SPACE',
      why: expect.stringContaining('(metadata)'),
    })

    const before = (await storage.listSnapshots('app')).length
    await fill(`${notesOf(storage)}/last`, INLINE_BYTES, never)
    for (let number = 0; number < 20; number++) {
      const failed = await storage.snapshot('app', `extra-${number}`).then(
        () => undefined,
        (error: unknown) => toAppError(error).code,
      )
      if (failed !== undefined) expect(failed).toBe('DISK_FULL')
    }
    const listed = await storage.listSnapshots('app')
    expect(listed.filter(({ state }) => state === 'damaged')).toEqual([])
    expect(listed.length).toBeGreaterThanOrEqual(before)
    expect(await readNote(lab, storage.unitPath('app'))).toBe('two')
    for (const { name } of listed) await storage.removeSnapshot('app', name)
    expect(await storage.listSnapshots('app')).toEqual([])
    await storage.repair()
    expect(await lab.litter()).toEqual([])
  })
})
