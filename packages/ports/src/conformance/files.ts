import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { switchLink, writeDurably } from '../durable.ts'
import type { Files } from '../files.ts'

export interface FilesUnderTest {
  readonly files: Files
  /** An existing empty folder. */
  readonly folder: string
  cleanUp?(): Promise<void>
}

/** What every implementation of {@link Files} must do. */
export function describeFiles(name: string, make: () => Promise<FilesUnderTest>): void {
  describe(`files: ${name}`, () => {
    let world: FilesUnderTest
    let files: Files
    const at = (path: string): string => `${world.folder}/${path}`

    beforeEach(async () => {
      world = await make()
      files = world.files
    })
    afterEach(() => world.cleanUp?.())

    it('refuses a folder where a file is read, naming it', async () => {
      await files.makeFolder(at('folder'))
      const refusal = { code: 'EISDIR', path: at('folder') }
      await expect(files.readText(at('folder'))).rejects.toMatchObject(refusal)
      await expect(files.read(at('folder'))).rejects.toMatchObject(refusal)
    })

    it('gives undefined for what is missing', async () => {
      await files.write(at('file'), 'x')
      for (const path of [at('none'), at('none/below'), at('file/below')]) {
        expect(await files.readText(path)).toBeUndefined()
        expect(await files.stat(path)).toBeUndefined()
        expect(await files.list(path)).toBeUndefined()
        expect(await files.readLink(path)).toBeUndefined()
        expect(await files.treeSize(path)).toBe(0)
        await files.remove(path)
      }
      expect(await files.readLink(at('file'))).toBeUndefined()
    })

    it('throws ENOENT where something has to be there', async () => {
      const missing = at('none')
      const refused = { code: 'ENOENT' }
      await expect(files.read(missing)).rejects.toMatchObject(refused)
      await expect(files.write(at('none/file'), 'x')).rejects.toMatchObject(refused)
      await expect(files.append(at('none/file'), 'x')).rejects.toMatchObject(refused)
      await expect(files.truncate(missing, 0)).rejects.toMatchObject(refused)
      await expect(files.sync(missing)).rejects.toMatchObject(refused)
      await expect(files.rename(missing, at('other'))).rejects.toMatchObject(refused)
      await expect(files.copyTree(missing, at('other'))).rejects.toMatchObject(refused)
      await expect(files.setMode(missing, 0o600)).rejects.toMatchObject(refused)
      await expect(files.setOwner(missing, { uid: 0, gid: 0 })).rejects.toMatchObject(refused)
    })

    it('creates a file for one of several callers, and never over another', async () => {
      const tries = await Promise.allSettled(
        ['one', 'two', 'three'].map((text) => files.create(at('a'), text, 0o600)),
      )
      expect(tries.filter((entry) => entry.status === 'fulfilled')).toHaveLength(1)
      await expect(files.create(at('a'), 'again', 0o600)).rejects.toMatchObject({ code: 'EEXIST' })
      expect((await files.stat(at('a')))?.mode).toBe(0o600)
    })

    it('writes, replaces, appends and cuts content', async () => {
      await files.write(at('a'), 'first')
      await files.write(at('a'), 'one')
      await files.append(at('a'), Buffer.from(' two'))
      await files.append(at('b'), 'new')
      expect(await files.readText(at('a'))).toBe('one two')
      expect(Buffer.from(await files.read(at('b'))).toString()).toBe('new')
      await files.truncate(at('a'), 3)
      expect(await files.readText(at('a'))).toBe('one')
    })

    it('gives new files and folders exactly the mode asked for and leaves existing ones as they are', async () => {
      await files.write(at('a'), 'x', 0o666)
      await files.write(at('a'), 'y', 0o600)
      await files.append(at('b'), 'x', 0o640)
      await files.makeFolder(at('deep/er'), 0o777)
      await files.makeFolder(at('deep/er'), 0o700)
      expect(await modeOf('a')).toBe(0o666)
      expect(await modeOf('b')).toBe(0o640)
      expect(await modeOf('deep/er')).toBe(0o777)
      await files.setMode(at('a'), 0o400)
      expect(await modeOf('a')).toBe(0o400)
    })

    it('refuses a folder where a file is', async () => {
      await files.write(at('a'), 'x')
      await expect(files.makeFolder(at('a'))).rejects.toThrow()
      await expect(files.makeFolder(at('a/b'))).rejects.toThrow()
    })

    it('lists by name and says what each entry is', async () => {
      await files.write(at('b'), '')
      await files.makeFolder(at('c'))
      await files.link('b', at('a'))
      expect(await files.list(world.folder)).toEqual([
        { name: 'a', kind: 'link' },
        { name: 'b', kind: 'file' },
        { name: 'c', kind: 'folder' },
      ])
    })

    it('does not follow the last link of a path in stat and remove, but does in read and write', async () => {
      await files.makeFolder(at('real'))
      await files.write(at('real/file'), 'inside')
      await files.link('real', at('alias'))
      expect((await files.stat(at('alias')))?.kind).toBe('link')
      expect(await files.readLink(at('alias'))).toBe('real')
      expect(await files.readText(at('alias/file'))).toBe('inside')
      await files.remove(at('alias'))
      expect(await files.readText(at('real/file'))).toBe('inside')
      await expect(files.link('x', at('real'))).rejects.toMatchObject({ code: 'EEXIST' })
    })

    it('renames over what is there and moves folders', async () => {
      await files.write(at('a'), 'new')
      await files.write(at('b'), 'old')
      await files.rename(at('a'), at('b'))
      expect(await files.readText(at('b'))).toBe('new')
      expect(await files.stat(at('a'))).toBeUndefined()
      await files.makeFolder(at('f'))
      await files.write(at('f/x'), '1')
      await files.rename(at('f'), at('g'))
      expect(await files.readText(at('g/x'))).toBe('1')
    })

    it('removes whole folders', async () => {
      await files.makeFolder(at('f/g'))
      await files.write(at('f/g/x'), '1')
      await files.remove(at('f'))
      expect(await files.list(world.folder)).toEqual([])
    })

    it('copies a tree with content, modes, times and links, and leaves the source alone', async () => {
      await files.makeFolder(at('from/sub'), 0o750)
      await files.write(at('from/sub/file'), 'content', 0o640)
      await files.link('sub/file', at('from/link'))
      await files.link('/nowhere', at('from/dangling'))
      const before = await files.stat(at('from/sub/file'))
      await files.copyTree(at('from'), at('to'))
      await files.write(at('from/sub/file'), 'changed')

      expect(await files.readText(at('to/sub/file'))).toBe('content')
      expect(await modeOf('to/sub')).toBe(0o750)
      const copy = await files.stat(at('to/sub/file'))
      expect(copy).toMatchObject({ mode: 0o640, uid: before?.uid, gid: before?.gid })
      expect(Math.abs((copy?.modifiedMs ?? 0) - (before?.modifiedMs ?? 0))).toBeLessThan(1)
      expect(await files.readLink(at('to/link'))).toBe('sub/file')
      expect(await files.readLink(at('to/dangling'))).toBe('/nowhere')
    })

    it('copies a folder without what is to be left out', async () => {
      await files.makeFolder(at('from/sub/deep'), 0o750)
      await files.makeFolder(at('from/out/deep'), 0o750)
      await files.write(at('from/sub/file'), 'content', 0o640)
      await files.write(at('from/sub/deep/lock'), '1')
      await files.write(at('from/out/deep/file'), '2')
      await files.link('sub/file', at('from/link'))
      await files.copyLiveTree(at('from'), at('to'), (path) => ['out', 'sub/deep/lock'].includes(path))
      expect(await files.readText(at('to/link'))).toBe('content')
      expect(await modeOf('to/sub/file')).toBe(0o640)
      expect(await files.list(at('to/sub/deep'))).toEqual([])
      expect((await files.list(at('to')))?.map(({ name }) => name)).toEqual(['link', 'sub'])
      await expect(files.copyLiveTree(at('from'), at('to'), () => false)).rejects.toMatchObject({
        code: 'EEXIST',
      })
    })

    it('copies a single file, and refuses to copy over anything', async () => {
      await files.write(at('a'), 'x')
      await files.copyTree(at('a'), at('b'))
      expect(await files.readText(at('b'))).toBe('x')
      await expect(files.copyTree(at('a'), at('b'))).rejects.toMatchObject({ code: 'EEXIST' })
      await files.makeFolder(at('f'))
      await files.makeFolder(at('g'))
      await expect(files.copyTree(at('f'), at('g'))).rejects.toMatchObject({ code: 'EEXIST' })
    })

    it('adds up what files take', async () => {
      await files.makeFolder(at('f/g'))
      await files.write(at('f/a'), 'x'.repeat(10_000))
      await files.write(at('f/g/b'), 'x'.repeat(10_000))
      const sizeBytes = await files.treeSize(at('f'))
      expect(sizeBytes).toBeGreaterThanOrEqual(20_000)
      expect(sizeBytes).toBeLessThan(40_000)
    })

    it('sets an owner that is the owner already without needing any right', async () => {
      await files.makeFolder(at('f'))
      await files.link('/nowhere', at('f/dangling'))
      const info = await files.stat(at('f'))
      await files.setOwner(at('f'), { uid: info?.uid ?? -1, gid: info?.gid ?? -1 })
      expect(await files.stat(at('f'))).toMatchObject({ uid: info?.uid, gid: info?.gid })
    })

    it('knows the space of the file system', async () => {
      const space = await files.space(world.folder)
      expect(space.totalBytes).toBeGreaterThan(0)
      expect(space.availableBytes).toBeLessThanOrEqual(space.totalBytes)
      expect(space.fileSystem).toMatch(/^\w+$/)
      expect(typeof space.inMemory).toBe('boolean')
    })

    it('carries the durable writers', async () => {
      await writeDurably(files, at('state.json'), '1')
      await writeDurably(files, at('state.json'), '2')
      expect(await files.readText(at('state.json'))).toBe('2')
      expect(await modeOf('state.json')).toBe(0o600)
      await switchLink(files, 'one', at('current'))
      await switchLink(files, 'two', at('current'))
      expect(await files.readLink(at('current'))).toBe('two')
    })

    async function modeOf(path: string): Promise<number | undefined> {
      return (await files.stat(at(path)))?.mode
    }
  })
}
