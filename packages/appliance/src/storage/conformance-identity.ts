import { describe, expect, test } from 'vitest'
import type { StorageLab } from './conformance.ts'
import { MARKER } from './identity.ts'

/** Whose volume it is (spec S4), names, and space (spec S5). */
export function describeIdentity(make: () => Promise<StorageLab>): void {
  describe('identity', () => {
    test('an absent volume is absent, and ours once it is initialised', async () => {
      await using lab = await make()
      expect(await lab.open().identify('a-1')).toMatchObject({ state: 'absent', why: expect.any(String) })
      await lab.open().initialise('a-1')
      await lab.open().initialise('a-1')
      expect(await lab.open().identify('a-1')).toEqual({ state: 'ours', applianceId: 'a-1' })
      expect(await lab.open().repair()).toEqual([])
    })

    test('an empty volume is empty, also with what mkfs or an interrupted initialisation leaves', async () => {
      await using lab = await make()
      const { files } = lab.postgres.ports
      await files.makeFolder(`${lab.root}/lost+found`)
      await files.write(`${lab.root}/${MARKER}.tmp`, '{')
      expect(await lab.open().identify('a-1')).toMatchObject({ state: 'empty' })
      await lab.open().initialise('a-1')
      expect(await lab.open().identify('a-1')).toMatchObject({ state: 'ours' })
    })

    test('another appliance is named and its volume is not touched', async () => {
      await using lab = await make()
      await lab.open().initialise('a-2')
      const before = await lab.postgres.ports.files.readText(`${lab.root}/${MARKER}`)
      expect(await lab.open().identify('a-1')).toMatchObject({ state: 'foreign', applianceId: 'a-2' })
      await expect(lab.open().initialise('a-1')).rejects.toMatchObject({ code: 'STORAGE_FOREIGN' })
      expect(await lab.postgres.ports.files.readText(`${lab.root}/${MARKER}`)).toBe(before)
    })

    test('somebody else’s files are foreign, and a damaged marker is unreadable, never empty', async () => {
      await using lab = await make()
      const { files } = lab.postgres.ports
      await files.makeFolder(`${lab.root}/holiday-photos`)
      expect(await lab.open().identify('a-1')).toMatchObject({
        state: 'foreign',
        why: expect.stringContaining('holiday-photos'),
      })
      await files.write(`${lab.root}/${MARKER}`, '{"format":1')
      expect(await lab.open().identify('a-1')).toMatchObject({ state: 'unreadable' })
      await expect(lab.open().initialise('a-1')).rejects.toMatchObject({ code: 'STORAGE_UNREADABLE' })
    })

    test('a volume of a newer version is unreadable and says so', async () => {
      await using lab = await make()
      const marker = { format: 99, appliance_id: 'a-1', created_at: '2040-01-01T00:00:00Z' }
      await lab.postgres.ports.files.makeFolder(lab.root)
      await lab.postgres.ports.files.write(`${lab.root}/${MARKER}`, JSON.stringify(marker))
      expect(await lab.open().identify('a-1')).toMatchObject({
        state: 'unreadable',
        why: expect.stringContaining('format 99'),
      })
    })

    test('a name that could leave its folder is refused everywhere', async () => {
      await using lab = await make()
      const storage = lab.open()
      await storage.initialise('a-1')
      await storage.createUnit('app')
      for (const name of ['..', '../app', 'a/b', '', 'A', 'x.partial', 'a'.repeat(41)]) {
        const refused = { code: 'NAME_INVALID' }
        expect(() => storage.unitPath(name)).toThrow(expect.objectContaining(refused))
        await expect(storage.createUnit(name)).rejects.toMatchObject(refused)
        await expect(storage.removeUnit(name)).rejects.toMatchObject(refused)
        await expect(storage.snapshot('app', name)).rejects.toMatchObject(refused)
        await expect(storage.removeSnapshot('app', name)).rejects.toMatchObject(refused)
        await expect(storage.switchTo('app', 'one', name)).rejects.toMatchObject(refused)
      }
    })
  })

  test('space is that of the volume, and more than it has is refused', async () => {
    await using lab = await make()
    const storage = lab.open()
    await storage.initialise('a-1')
    const space = await storage.space()
    expect(space.availableBytes).toBeGreaterThan(0)
    expect(space.totalBytes).toBeGreaterThan(space.availableBytes)
    expect(space.reserveBytes).toBeGreaterThan(0)
    await expect(storage.reserve(space.totalBytes)).rejects.toMatchObject({
      code: 'STORAGE_SPACE',
      exitCode: 75,
    })
  })
}
