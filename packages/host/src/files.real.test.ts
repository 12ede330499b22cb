import { execFileSync } from 'node:child_process'
import {
  fsyncSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdtempSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describeFiles } from '@caretaker/ports/conformance/files.ts'
import { writeDurably } from '@caretaker/ports/durable.ts'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createFiles } from './files.ts'

describeFiles('the file system', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'caretaker-files-'))
  return { files: createFiles(), folder, cleanUp: async () => rmSync(folder, { recursive: true }) }
})

describe('files of the machine', () => {
  const files = createFiles()
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'caretaker-files-'))
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  it('hands every sync to the operating system: the file, and the folder of its name', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'caretaker-sync-'))
    const handle = await open(folder)
    const prototype = Object.getPrototypeOf(handle) as { sync: () => Promise<void> }
    await handle.close()
    const synced: string[] = []
    const sync = vi.spyOn(prototype, 'sync').mockImplementation(async function (this: { fd: number }) {
      synced.push(readlinkSync(`/proc/self/fd/${this.fd}`))
      fsyncSync(this.fd)
    })
    try {
      await writeDurably(createFiles(), join(folder, 'a'), 'content')
      expect(synced).toEqual([join(folder, 'a.tmp'), folder])
    } finally {
      sync.mockRestore()
      rmSync(folder, { recursive: true })
    }
  })

  it('copies a file with two names as one file, counts it once, and leaves pipes out', async () => {
    await files.makeFolder(join(folder, 'from'))
    writeFileSync(join(folder, 'from/a'), 'x'.repeat(100_000))
    linkSync(join(folder, 'from/a'), join(folder, 'from/b'))
    execFileSync('mkfifo', [join(folder, 'from/pipe')])
    await files.copyTree(join(folder, 'from'), join(folder, 'to'))

    expect((await files.list(join(folder, 'to')))?.map((entry) => entry.name)).toEqual(['a', 'b'])
    expect(lstatSync(join(folder, 'to/a')).ino).toBe(lstatSync(join(folder, 'to/b')).ino)
    expect(await files.treeSize(join(folder, 'to'))).toBeLessThan(150_000)
  })

  it('copies the times of files, folders and links', async () => {
    const [from, to] = [join(folder, 'from'), join(folder, 'to')]
    await files.makeFolder(from)
    writeFileSync(join(from, 'file'), '')
    await files.link('file', join(from, 'link'))
    const then = new Date('2001-02-03T04:05:06.789Z')
    for (const path of [join(from, 'file'), join(from, 'link'), from]) lutimesSync(path, then, then)
    await files.copyTree(from, to)
    for (const path of [to, join(to, 'file'), join(to, 'link')]) {
      expect((await files.stat(path))?.modifiedMs).toBeCloseTo(then.getTime(), 1)
    }
  })

  it('copies thousands of files', async () => {
    await files.makeFolder(join(folder, 'from/sub'))
    for (let i = 0; i < 2000; i++) writeFileSync(join(folder, `from/sub/${i}`), String(i))
    await files.copyTree(join(folder, 'from'), join(folder, 'to'))
    expect(await files.list(join(folder, 'to/sub'))).toHaveLength(2000)
    expect(await files.readText(join(folder, 'to/sub/1999'))).toBe('1999')
  })

  it.runIf(process.getuid?.() === 0)(
    'as root keeps owners, and sets them for the whole tree but not through links',
    async () => {
      const outside = join(folder, 'outside')
      writeFileSync(outside, '')
      await files.makeFolder(join(folder, 'from'))
      writeFileSync(join(folder, 'from/file'), '')
      await files.link(outside, join(folder, 'from/link'))
      await files.setOwner(join(folder, 'from'), { uid: 65534, gid: 65533 })
      await files.copyTree(join(folder, 'from'), join(folder, 'to'))

      for (const path of ['to', 'to/file', 'to/link']) {
        expect(await files.stat(join(folder, path))).toMatchObject({ uid: 65534, gid: 65533 })
      }
      expect(await files.stat(outside)).toMatchObject({ uid: 0, gid: 0 })
    },
  )

  it.runIf(process.getuid?.() === 0 && canMount())(
    'on a full or read-only file system fail with the path and the mount point, and create leaves no half file',
    async () => {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', folder])
      try {
        const path = join(folder, 'a')
        const large = Buffer.alloc(100_000)
        for (const write of [
          () => files.write(path, large),
          () => files.append(path, large),
          () => files.create(join(folder, 'new'), large, 0o600),
        ]) {
          await expect(write()).rejects.toMatchObject({
            code: 'ENOSPC',
            path: expect.stringContaining(folder),
            mount: folder,
          })
        }
        expect((await files.list(folder))?.map(({ name }) => name)).toEqual(['a'])
        expect((await files.space(path)).mount).toBe(folder)
        execFileSync('mount', ['-o', 'remount,ro', folder])
        await expect(files.remove(path)).rejects.toMatchObject({ code: 'EROFS', path, mount: folder })
        await expect(files.makeFolder(join(folder, 'b'))).rejects.toMatchObject({
          code: 'EROFS',
          mount: folder,
        })
      } finally {
        execFileSync('umount', ['-l', folder])
      }
    },
  )

  it.runIf(canUnshare())('a user that a user namespace does not know is named as that', () => {
    const script = `
      import { createFiles } from ${JSON.stringify(new URL('./files.ts', import.meta.url).href)}
      await createFiles().setOwner(process.argv[1], { uid: 998, gid: 998 }).catch(({ code, why }) => console.log(code, why))`
    const words = ['--user', '--map-root-user', process.execPath, '--input-type=module', '-e', script, folder]
    expect(execFileSync('unshare', words, { encoding: 'utf8' })).toMatch(
      /^NO_PERMISSION the users 998:998 are not part of the user namespace/,
    )
  })
})

function canMount(): boolean {
  return succeeds('unshare', ['--mount', 'mount', '-t', 'tmpfs', 'none', tmpdir()])
}

function canUnshare(): boolean {
  return succeeds('unshare', ['--user', '--map-root-user', 'true'])
}

function succeeds(file: string, words: readonly string[]): boolean {
  try {
    execFileSync(file, words, { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
