import { describe, expect, test } from 'vitest'
import type { StorageLab } from './conformance.ts'
import { readNote, treeHash, unitWithNote, writeNote } from './conformance-unit.ts'

/** Units, snapshots, switching and copies, on files alone. */
export function describeSnapshots(make: () => Promise<StorageLab>): void {
  describe('units', () => {
    test('are created once, listed, and removed with everything', async () => {
      await using lab = await make()
      const storage = await unitWithNote(lab)
      await storage.createUnit('app')
      expect(await readNote(lab, storage.unitPath('app'))).toBe('one')
      await storage.createUnit('other')
      expect(await lab.open().listUnits()).toEqual(['app', 'other'])
      await storage.snapshot('app', 'first')
      await storage.removeUnit('app')
      await storage.removeUnit('app')
      expect(await lab.open().hasUnit('app')).toBe(false)
      expect(await lab.open().listUnits()).toEqual(['other'])
      expect(await storage.listSnapshots('app')).toEqual([])
      expect(await lab.litter()).toEqual([])
    })

    test('what is not there is said by its name', async () => {
      await using lab = await make()
      const storage = await unitWithNote(lab)
      await expect(storage.snapshot('gone', 'first')).rejects.toMatchObject({ code: 'UNIT_UNKNOWN' })
      await expect(storage.switchTo('app', 'gone', 'kept')).rejects.toMatchObject({
        code: 'SNAPSHOT_UNKNOWN',
      })
      await expect(storage.writableCopy('app', 'gone', 'copy')).rejects.toMatchObject({
        code: 'SNAPSHOT_UNKNOWN',
      })
      await expect(storage.snapshotPath('app', 'gone')).rejects.toMatchObject({ code: 'SNAPSHOT_UNKNOWN' })
      expect(await lab.litter()).toEqual([])
      expect(await readNote(lab, storage.unitPath('app'))).toBe('one')
    })
  })

  describe('snapshots', () => {
    test('stay as they were, are listed oldest first, and go without a word when they are gone', async () => {
      await using lab = await make()
      const storage = await unitWithNote(lab)
      await storage.snapshot('app', 'zero')
      await writeNote(lab, storage, 'two')
      await storage.snapshot('app', 'a-later')
      const listed = await lab.open().listSnapshots('app')
      expect(listed.map((snapshot) => snapshot.name)).toEqual(['zero', 'a-later'])
      expect(listed.every((snapshot) => snapshot.state === 'complete' && snapshot.createdAt)).toBe(true)
      expect(listed[0]?.sizeBytes).toBeGreaterThan(0)
      for (const { sizeBytes: _, ...snapshot } of listed)
        expect(await lab.open().findSnapshot('app', snapshot.name)).toEqual(snapshot)
      expect(await storage.findSnapshot('app', 'gone')).toBeUndefined()
      expect(await storage.findSnapshot('gone', 'zero')).toBeUndefined()
      expect(await readNote(lab, await storage.snapshotPath('app', 'zero'))).toBe('one')
      expect(await readNote(lab, await storage.snapshotPath('app', 'a-later'))).toBe('two')
      await expect(storage.snapshot('app', 'zero')).rejects.toMatchObject({ code: 'SNAPSHOT_EXISTS' })
      await storage.removeSnapshot('app', 'zero')
      await storage.removeSnapshot('app', 'zero')
      expect((await storage.listSnapshots('app')).map((snapshot) => snapshot.name)).toEqual(['a-later'])
      expect(await lab.litter()).toEqual([])
    })

    test('cannot be written to by the application', async () => {
      await using lab = await make()
      const storage = await unitWithNote(lab)
      await storage.snapshot('app', 'first')
      const content = await storage.snapshotPath('app', 'first')
      for (const folder of [content, `${content}/files`, `${content}/files/notes`]) {
        expect(await touch(lab, `${folder}/added`)).toBe('refused')
      }
      expect(await touch(lab, `${storage.unitPath('app')}/files/notes/added`)).toBe('written')
    })

    test('a damaged one is shown, never used, and can be removed', async () => {
      await using lab = await make()
      const storage = await unitWithNote(lab)
      await storage.snapshot('app', 'first')
      await lab.damage('app', 'first')
      expect(await lab.open().listSnapshots('app')).toMatchObject([{ name: 'first', state: 'damaged' }])
      expect(await storage.findSnapshot('app', 'first')).toMatchObject({ name: 'first', state: 'damaged' })
      const refused = { code: 'SNAPSHOT_DAMAGED' }
      await expect(storage.switchTo('app', 'first', 'kept')).rejects.toMatchObject(refused)
      await expect(storage.writableCopy('app', 'first', 'copy')).rejects.toMatchObject(refused)
      await expect(storage.snapshotPath('app', 'first')).rejects.toMatchObject(refused)
      expect(await readNote(lab, storage.unitPath('app'))).toBe('one')
      await storage.removeSnapshot('app', 'first')
      expect(await storage.listSnapshots('app')).toEqual([])
      expect(await lab.litter()).toEqual([])
    })
  })

  describe('switching', () => {
    test('there and back: nothing is lost, what was current is kept as it was', async () => {
      await using lab = await make()
      const { files } = lab.postgres.ports
      const storage = await unitWithNote(lab)
      await storage.snapshot('app', 'before')
      const before = await treeHash(files, await storage.snapshotPath('app', 'before'))
      await writeNote(lab, storage, 'two')
      const path = storage.unitPath('app')
      const failed = await treeHash(files, path)

      await storage.switchTo('app', 'before', 'failed')
      expect(await readNote(lab, path)).toBe('one')
      expect(await treeHash(files, path)).toBe(before)
      expect(await treeHash(files, await storage.snapshotPath('app', 'failed'))).toBe(failed)
      expect(await touch(lab, `${await storage.snapshotPath('app', 'failed')}/files/notes/added`)).toBe(
        'refused',
      )
      expect(await touch(lab, `${path}/files/notes/added`)).toBe('written')

      await lab.open().switchTo('app', 'failed', 'undone')
      expect(await treeHash(files, path)).toBe(failed)
      expect(await treeHash(files, await storage.snapshotPath('app', 'before'))).toBe(before)
      expect(await treeHash(files, await storage.snapshotPath('app', 'failed'))).toBe(failed)
      expect(await lab.litter()).toEqual([])
    })

    test('repeated it does nothing; with a name that is taken it is refused', async () => {
      await using lab = await make()
      const storage = await unitWithNote(lab)
      await storage.snapshot('app', 'before')
      await storage.snapshot('app', 'taken')
      await storage.switchTo('app', 'before', 'kept')
      await writeNote(lab, storage, 'three')
      await lab.open().switchTo('app', 'before', 'kept')
      expect(await readNote(lab, storage.unitPath('app'))).toBe('three')
      const refused = { code: 'SNAPSHOT_EXISTS' }
      await expect(storage.switchTo('app', 'before', 'taken')).rejects.toMatchObject(refused)
      await expect(storage.switchTo('app', 'taken', 'kept')).rejects.toMatchObject(refused)
      await expect(storage.switchTo('app', 'before', 'before')).rejects.toMatchObject(refused)
      expect(await readNote(lab, storage.unitPath('app'))).toBe('three')
    })
  })

  describe('writable copies', () => {
    test('are units of their own and disturb neither snapshot nor original', async () => {
      await using lab = await make()
      const { files } = lab.postgres.ports
      const storage = await unitWithNote(lab)
      await storage.snapshot('app', 'first')
      const [snapshot, original] = [await storage.snapshotPath('app', 'first'), storage.unitPath('app')]
      const hashes = [await treeHash(files, snapshot), await treeHash(files, original)]
      await storage.writableCopy('app', 'first', 'copy')
      expect(await treeHash(files, storage.unitPath('copy'))).toBe(hashes[0])
      await writeNote(lab, storage, 'changed', 'copy')
      await storage.writableCopy('app', 'first', 'copy')
      expect(await readNote(lab, storage.unitPath('copy'))).toBe('changed')
      expect([await treeHash(files, snapshot), await treeHash(files, original)]).toEqual(hashes)
      await expect(storage.writableCopy('app', 'first', 'app')).rejects.toMatchObject({ code: 'UNIT_EXISTS' })
      await storage.removeUnit('copy')
      expect([await treeHash(files, snapshot), await treeHash(files, original)]).toEqual(hashes)
    })
  })
}

/** Whether the user that applications run as can create a file there. */
async function touch(lab: StorageLab, path: string): Promise<'written' | 'refused'> {
  const { ports, owner } = lab.postgres
  const command = { file: '/usr/bin/touch', args: [path], cwd: '/', timeoutMs: 10_000 }
  const { exitCode } = await ports.processes.run({ ...command, ...(owner ? { owner } : {}) })
  if (exitCode === 0) await ports.files.remove(path)
  return exitCode === 0 ? 'written' : 'refused'
}
