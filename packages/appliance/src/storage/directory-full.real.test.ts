import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createHost } from '@caretaker/host/host.ts'
import { MIB } from '@caretaker/kernel/units.ts'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createStorage } from './create-storage.ts'

const SIZE_MIB = 256
const folder = mkdtempSync(join(tmpdir(), 'caretaker-full-'))
const volume = join(folder, 'volume')
const image = join(folder, 'image')
const why = whyNoVolume()

/** Mounts a small file system at `volume`, and says why not. */
function whyNoVolume(): string {
  if (process.getuid?.() !== 0) return ' (skipped: needs root)'
  try {
    execFileSync('mkdir', [volume])
    writeFileSync(image, '')
    truncateSync(image, SIZE_MIB * MIB)
    execFileSync('mkfs.ext4', ['-q', '-F', '-m', '0', image], { stdio: 'ignore' })
    execFileSync('mount', ['-o', 'loop', image, volume], { stdio: 'ignore' })
    return ''
  } catch {
    return ' (skipped: needs mkfs.ext4 and loop devices)'
  }
}

afterAll(() => {
  if (why === '') execFileSync('umount', ['-l', volume])
  rmSync(folder, { recursive: true })
})

describe.skipIf(why !== '')(`copies on a small volume${why}`, () => {
  const host = createHost()
  const { files } = host
  const root = join(volume, 'data')
  const storage = createStorage('directory', host, { root, warnPercent: 80, reservePercent: 25 })
  const copyFiles = (from: string, to: string, signal: AbortSignal) =>
    files.copyLiveTree(`${from}/files`, `${to}/files`, () => false, signal)
  const grow = (name: string, mib: number) =>
    execFileSync('fallocate', ['-l', `${mib}MiB`, join(volume, name)])

  beforeAll(async () => {
    await storage.initialise('a-1')
    await storage.createUnit('app')
    const hole = join(storage.unitPath('app'), 'files/hole')
    writeFileSync(hole, 'x'.repeat(10_000))
    truncateSync(hole, 8 * 2 ** 30)
  })

  test('a file that is larger than the volume, and nearly all hole, is copied as what it is', async () => {
    await storage.reserve(await storage.copyBytes('app'))
    await storage.liveCopy('app', 'live', copyFiles)
    await storage.snapshot('app', 'first')
    await storage.switchTo('app', 'first', 'kept')
    const { availableBytes, belowReserve } = await storage.space()
    expect({ belowReserve, isSmall: availableBytes > 150 * MIB }).toEqual({
      belowReserve: false,
      isSmall: true,
    })
    expect((await files.stat(`${storage.unitPath('live')}/files/hole`))?.sizeBytes).toBe(8 * 2 ** 30)
  })

  test('data that grows while it is copied ends the copy at the reserve, and nothing of it stays', async () => {
    const copying = storage.liveCopy('app', 'copy', async (from, to, signal) => {
      await copyFiles(from, to, signal)
      grow('other', 180)
      await new Promise<void>((_, reject) =>
        signal.addEventListener('abort', () => reject(new Error('ended'))),
      )
    })
    await expect(copying).rejects.toMatchObject({ code: 'STORAGE_SPACE' })
    expect(await storage.listUnits()).toEqual(['app', 'live'])
    expect(await storage.leftovers()).toEqual([])
    await files.remove(join(volume, 'other'))
  })

  test('the way back is taken all the same', async () => {
    await storage.snapshot('app', 'second')
    grow('other', 180)
    expect((await storage.space()).belowReserve).toBe(true)
    await expect(storage.snapshot('app', 'third')).rejects.toMatchObject({ code: 'STORAGE_SPACE' })
    await storage.switchTo('app', 'second', 'failed')
    expect((await storage.listSnapshots('app')).map(({ name }) => name)).toContain('failed')
    await files.remove(join(volume, 'other'))
  })
})
