import { beforeEach, describe, expect, it } from 'vitest'
import { describeFiles } from './conformance/files.ts'
import { switchLink, writeDurably } from './durable.ts'
import { MemoryFiles } from './memory-files.ts'

describeFiles('in memory', async () => {
  const files = new MemoryFiles()
  await files.makeFolder('/folder')
  return { files, folder: '/folder' }
})

describe('a crash of the files in memory', () => {
  let files: MemoryFiles
  beforeEach(async () => {
    files = new MemoryFiles()
    await files.makeFolder('/folder')
  })

  it('loses content that was not synced', async () => {
    await files.write('/folder/a', 'kept')
    await files.sync('/folder/a')
    await files.sync('/folder')
    await files.append('/folder/a', ' and lost')
    files.crash()
    expect(await files.readText('/folder/a')).toBe('kept')
  })

  it('loses the name of a synced file whose folder was not synced', async () => {
    await files.write('/folder/a', 'x')
    await files.sync('/folder/a')
    files.crash()
    expect(await files.stat('/folder/a')).toBeUndefined()
  })

  it('leaves an empty file where only the name was synced', async () => {
    await files.write('/folder/a', 'x')
    await files.sync('/folder')
    files.crash()
    expect(await files.readText('/folder/a')).toBe('')
  })

  it('takes back renames and removals of a folder that was not synced', async () => {
    await writeDurably(files, '/folder/a', '1')
    await writeDurably(files, '/folder/b', '2')
    await files.rename('/folder/a', '/folder/c')
    await files.remove('/folder/b')
    files.crash()
    expect((await files.list('/folder'))?.map((entry) => entry.name)).toEqual(['a', 'b'])
  })

  it('does nothing to what was written durably', async () => {
    await writeDurably(files, '/folder/state', '1')
    await writeDurably(files, '/folder/state', '2')
    await switchLink(files, 'one', '/folder/current')
    await files.makeFolder('/folder/deep/er')
    await files.copyTree('/folder/state', '/folder/copy')
    files.crash()
    expect(await files.readText('/folder/state')).toBe('2')
    expect(await files.readText('/folder/copy')).toBe('2')
    expect(await files.readLink('/folder/current')).toBe('one')
    expect((await files.stat('/folder/deep/er'))?.kind).toBe('folder')
  })
})

describe('failures of the files in memory', () => {
  it('come at the path and below, until they are healed', async () => {
    const files = new MemoryFiles()
    await files.makeFolder('/data')
    files.fail('write', 'ENOSPC', '/data')
    await expect(files.write('/data/a', 'x')).rejects.toMatchObject({ code: 'ENOSPC', path: '/data/a' })
    await files.write('/database', 'x')
    files.heal()
    await files.write('/data/a', 'x')
  })
})

describe('links of the files in memory', () => {
  it('that go round are refused', async () => {
    const files = new MemoryFiles()
    await files.link('/b', '/a')
    await files.link('/a', '/b')
    await expect(files.read('/a')).rejects.toMatchObject({ code: 'ELOOP' })
  })
})

it('the durable image of the files in memory is what a crash leaves', async () => {
  const files = new MemoryFiles()
  await files.makeFolder('/data')
  await writeDurably(files, '/data/kept', 'old')
  await switchLink(files, 'kept', '/data/link')
  await files.write('/data/kept', 'new')
  await files.write('/data/lost', 'x')
  const other = new MemoryFiles({ image: JSON.parse(JSON.stringify(files.durableImage())) })
  files.crash()
  for (const each of [files, other]) {
    expect(await each.list('/data')).toEqual([
      { name: 'kept', kind: 'file' },
      { name: 'link', kind: 'link' },
    ])
    expect(await each.readText('/data/link')).toBe('old')
  }
})
