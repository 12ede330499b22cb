import { describe, expect, test } from 'vitest'
import { copyLiveUnit } from '../database/base-backup.ts'
import type { StorageLab } from './conformance.ts'
import { unitWithNote } from './conformance-unit.ts'
import { oddFiles } from './odd-files.fixture.ts'

const never = new AbortController().signal

/** What every copy has of the files of an application, beside names and contents. */
export function describeOddFiles(make: () => Promise<StorageLab>): void {
  describe('the way back, clones and snapshots keep', () => {
    for (const odd of oddFiles) {
      test.skipIf(odd.why !== '')(`${odd.what}${odd.why}`, { timeout: 120_000 }, async () => {
        await using lab = await make()
        const storage = await unitWithNote(lab)
        const { ports } = lab.postgres
        const folderOf = (unit: string) => `${unit}/files/odd`
        const path = folderOf(storage.unitPath('app'))
        await ports.files.makeFolder(path, 0o755)
        odd.make(path)
        const told = odd.tell(path)
        const bytes = await storage.copyBytes('app')
        if (!storage.instant) {
          expect(bytes).toBeGreaterThan(0)
          expect(bytes).toBeLessThan(2 ** 20)
          await storage.liveCopy('app', 'live', (from, to) => copyLiveUnit(ports, undefined, from, to, never))
          expect(odd.tell(folderOf(storage.unitPath('live')))).toEqual(told)
        }
        await storage.snapshot('app', 'before')
        expect(odd.tell(folderOf(await storage.snapshotPath('app', 'before')))).toEqual(told)
        await storage.writableCopy('app', 'before', 'copy')
        expect(odd.tell(folderOf(storage.unitPath('copy')))).toEqual(told)
        await ports.files.remove(path)
        await storage.switchTo('app', 'before', 'failed')
        expect(odd.tell(path)).toEqual(told)
        expect(await lab.litter()).toEqual([])
      })
    }
  })
}
