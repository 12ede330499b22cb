import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  fsyncSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  mkdtempSync,
  readlinkSync,
  rmSync,
  truncateSync,
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

  it('copies a file with two names as one file and counts it once, and a hole as one', async () => {
    await files.makeFolder(join(folder, 'from'))
    writeFileSync(join(folder, 'from/a'), 'x'.repeat(100_000))
    linkSync(join(folder, 'from/a'), join(folder, 'from/b'))
    writeFileSync(join(folder, 'from/hole'), '')
    truncateSync(join(folder, 'from/hole'), 10 ** 9)
    await files.copyTree(join(folder, 'from'), join(folder, 'to'))

    expect((await files.list(join(folder, 'to')))?.map((entry) => entry.name)).toEqual(['a', 'b', 'hole'])
    expect(lstatSync(join(folder, 'to/a')).ino).toBe(lstatSync(join(folder, 'to/b')).ino)
    expect(lstatSync(join(folder, 'to/hole')).size).toBe(10 ** 9)
    expect(await files.treeSize(join(folder, 'to'))).toBeLessThan(150_000)
  })

  it('counts, gives away and removes what has a name that is not UTF-8', async () => {
    const from = join(folder, 'from')
    const name = Buffer.from([0x2f, 0x63, 0x61, 0x66, 0xe9])
    await files.makeFolder(from)
    mkdirSync(Buffer.concat([Buffer.from(from), name]))
    writeFileSync(Buffer.concat([Buffer.from(from), name, name]), 'x'.repeat(100_000))
    expect(await files.treeSize(from)).toBeGreaterThanOrEqual(100_000)
    const info = await files.stat(from)
    await files.setOwner(from, { uid: info?.uid ?? -1, gid: info?.gid ?? -1 })
    await files.remove(from)
    expect(await files.stat(from)).toBeUndefined()
  })

  it('copies a folder whose files come, go and are replaced all the time', { timeout: 120_000 }, async () => {
    const from = join(folder, 'from')
    await files.makeFolder(from)
    for (let i = 0; i < 300; i++) writeFileSync(join(from, `stays-${i}`), 'content')
    const churn = spawn(process.execPath, ['-e', CHURN, from], { stdio: ['ignore', 'pipe', 'inherit'] })
    try {
      await once(churn.stdout, 'data')
      for (let round = 1; round <= 10; round++) {
        const to = join(folder, `to-${round}`)
        await files.copyLiveTree(from, to, () => false)
        const names = new Set((await files.list(to))?.map((entry) => entry.name))
        for (let i = 0; i < 300; i++) expect(names).toContain(`stays-${i}`)
        for (let i = 0; i < 30; i++) expect(await files.readText(join(to, `replaced-${i}`))).toBe('whole')
      }
    } finally {
      churn.kill('SIGKILL')
      await once(churn, 'close')
    }
  })

  it('a copy that is cancelled ends, and the program that copies with it', { timeout: 60_000 }, async () => {
    const from = join(folder, 'from')
    await files.makeFolder(from)
    for (let i = 0; i < 3000; i++) writeFileSync(join(from, String(i)), 'x'.repeat(10_000))
    const cancel = new AbortController()
    const copying = files.copyTree(from, join(folder, 'to'), cancel.signal)
    cancel.abort()
    await expect(copying).rejects.toMatchObject({ code: 'CANCELLED' })
    await files.remove(join(folder, 'to'))
    expect(await files.stat(join(folder, 'to'))).toBeUndefined()
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

/** In the folder of its argument: 30 files are replaced by others of the same name, and others come and go. */
const CHURN = `
  const { writeFileSync, renameSync, rmSync, mkdirSync } = require('node:fs')
  process.chdir(process.argv[1])
  const replace = (i) => (writeFileSync('new', 'whole'), renameSync('new', 'replaced-' + i))
  for (let i = 0; i < 30; i++) replace(i)
  console.log('begun')
  for (let n = 0; ; n++) {
    replace(n % 30)
    writeFileSync('fleeting-' + (n % 10), 'x')
    mkdirSync('folder-' + (n % 5))
    rmSync('fleeting-' + (n % 10))
    rmSync('folder-' + (n % 5), { recursive: true })
  }`

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
