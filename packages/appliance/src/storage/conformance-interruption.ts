import { describe, expect, test } from 'vitest'
import type { StorageCall, StorageLab } from './conformance.ts'
import { readNote, unitWithNote, writeNote } from './conformance-unit.ts'
import type { Storage } from './storage.ts'

interface Case {
  readonly call: StorageCall
  /** Looks at the volume after the kill, before and after the repair: throws when it is neither OLD nor NEW. */
  readonly isOldOrNew: (lab: StorageLab, storage: Storage) => Promise<void>
  /** After the call was repeated. */
  readonly isNew: (lab: StorageLab, storage: Storage) => Promise<void>
}

/**
 * Before every case: unit `app` with the snapshot `first` (note "one") and the note "two" in force.
 * Each call is killed before each of its changes in turn.
 */
const CASES: readonly Case[] = [
  {
    call: ['snapshot', 'app', 'second'],
    isOldOrNew: async (lab, storage) => {
      expect(await current(lab, storage)).toBe('two')
      expect([['first'], ['first', 'second']]).toContainEqual(await complete(storage))
    },
    isNew: async (lab, storage) => {
      expect(await readNote(lab, await storage.snapshotPath('app', 'second'))).toBe('two')
    },
  },
  {
    call: ['switchTo', 'app', 'first', 'kept'],
    isOldOrNew: async (lab, storage) => {
      expect(['one', 'two']).toContain(await current(lab, storage))
      expect(await readNote(lab, await storage.snapshotPath('app', 'first'))).toBe('one')
    },
    isNew: async (lab, storage) => {
      expect(await current(lab, storage)).toBe('one')
      expect(await readNote(lab, await storage.snapshotPath('app', 'kept'))).toBe('two')
      expect(await complete(storage)).toEqual(['first', 'kept'])
    },
  },
  {
    call: ['writableCopy', 'app', 'first', 'copy'],
    isOldOrNew: async (lab, storage) => {
      expect(await current(lab, storage)).toBe('two')
      if (await storage.hasUnit('copy')) expect(await readNote(lab, storage.unitPath('copy'))).toBe('one')
    },
    isNew: async (lab, storage) => {
      expect(await readNote(lab, storage.unitPath('copy'))).toBe('one')
      await writeNote(lab, storage, 'three', 'copy')
    },
  },
  {
    call: ['createUnit', 'fresh'],
    isOldOrNew: async (lab, storage) => expect(await current(lab, storage)).toBe('two'),
    isNew: async (_, storage) => expect(await storage.hasUnit('fresh')).toBe(true),
  },
  {
    call: ['removeSnapshot', 'app', 'first'],
    isOldOrNew: async (lab, storage) => {
      expect(await current(lab, storage)).toBe('two')
      for (const name of await complete(storage)) {
        expect(await readNote(lab, await storage.snapshotPath('app', name))).toBe('one')
      }
    },
    isNew: async (_, storage) => expect(await storage.listSnapshots('app')).toEqual([]),
  },
  {
    call: ['removeUnit', 'app'],
    isOldOrNew: async (lab, storage) => {
      if (await storage.hasUnit('app')) expect(await current(lab, storage)).toBe('two')
    },
    isNew: async (_, storage) => expect(await storage.hasUnit('app')).toBe(false),
  },
]

/** A process that dies anywhere leaves OLD or NEW, and `repair` leaves no litter. */
export function describeInterruption(make: () => Promise<StorageLab>): void {
  describe('killed before any of its changes', () => {
    test.each(CASES)(
      '$call.0 leaves the state before or after, and can be repeated',
      async (given) => {
        for (let at = 0; ; at++) {
          await using lab = await make()
          const prepared = await unitWithNote(lab)
          await prepared.snapshot('app', 'first')
          await writeNote(lab, prepared, 'two')

          const ending = await lab.interrupt(given.call, at)
          if (ending === 'completed') {
            expect(at, 'kill points').toBeGreaterThan(2)
            await given.isNew(lab, lab.open())
            return
          }
          await given.isOldOrNew(lab, lab.open())
          const leftovers = await lab.open().leftovers()
          expect(await lab.open().repair(), `killed before change ${at}`).toEqual(leftovers)
          expect(await lab.open().leftovers()).toEqual([])
          expect(await lab.litter(), `killed before change ${at}`).toEqual([])
          await given.isOldOrNew(lab, lab.open())
          const done = await lab.open().listSnapshots('app')
          if (!(given.call[0] === 'snapshot' && done.length === 2)) await repeat(lab.open(), given.call)
          await given.isNew(lab, lab.open())
          expect(await lab.litter()).toEqual([])
        }
      },
      300_000,
    )
  })
}

async function current(lab: StorageLab, storage: Storage): Promise<string | undefined> {
  return readNote(lab, storage.unitPath('app'))
}

async function complete(storage: Storage): Promise<readonly string[]> {
  const snapshots = await storage.listSnapshots('app')
  expect(snapshots.filter((snapshot) => snapshot.state !== 'complete')).toEqual([])
  return snapshots.map((snapshot) => snapshot.name)
}

/** Makes the call. */
export async function repeat(storage: Storage, call: StorageCall): Promise<void> {
  switch (call[0]) {
    case 'createUnit':
      return storage.createUnit(call[1])
    case 'snapshot':
      return storage.snapshot(call[1], call[2])
    case 'switchTo':
      return storage.switchTo(call[1], call[2], call[3])
    case 'writableCopy':
      return storage.writableCopy(call[1], call[2], call[3])
    case 'removeSnapshot':
      return storage.removeSnapshot(call[1], call[2])
    case 'removeUnit':
      return storage.removeUnit(call[1])
  }
}
