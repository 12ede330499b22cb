import { MemoryFiles } from '@caretaker/ports/memory-files.ts'
import { beforeEach, describe, expect, it } from 'vitest'
import { createJournal, journalPath, openJournal, readJournal } from './journal.ts'
import type { JournalRecord } from './journal-records.ts'

const PATH = journalPath('/state', 'op-1')
const planned: JournalRecord = {
  type: 'planned',
  at: '2026-01-01T00:00:00.000Z',
  operation: 'op-1',
  plan: { name: 'test', purpose: 'größer', onFailure: 'undo', steps: [] },
  actor: { user: 'ada', via: 'job' },
  boot_id: 'b',
}
const begun: JournalRecord = { type: 'undo-begun', at: '2026-01-01T00:00:01.000Z' }

describe('a journal', () => {
  let files: MemoryFiles
  beforeEach(async () => {
    files = new MemoryFiles()
    await files.makeFolder('/state')
  })
  const text = async () => (await files.readText(PATH)) as string
  const rewrite = (change: (text: string) => string) => text().then((old) => files.write(PATH, change(old)))
  const create = async (...more: JournalRecord[]) => {
    const journal = await createJournal(files, PATH, planned)
    for (const record of more) await journal.append(record)
    return journal
  }

  it('is on disk, name and content, when create and append return', async () => {
    const journal = await create()
    files.crash()
    expect((await readJournal(files, PATH))?.records).toEqual([planned])
    await journal.append(begun)
    files.crash()
    expect((await readJournal(files, PATH))?.records).toEqual([planned, begun])
  })

  it('is readable by its owner only', async () => {
    await create()
    expect((await files.stat(PATH))?.mode).toBe(0o600)
    expect((await files.stat('/state/operations'))?.mode).toBe(0o700)
  })

  it('is undefined when there is none, or when not even its first line is whole', async () => {
    expect(await openJournal(files, PATH)).toBeUndefined()
    await create()
    await rewrite((whole) => whole.slice(0, 40))
    expect(await openJournal(files, PATH)).toBeUndefined()
  })

  it('cuts off a torn last line, wherever it was torn, and goes on after it', async () => {
    await create(begun)
    const whole = await text()
    const first = whole.indexOf('\n') + 1
    for (let cut = first; cut < whole.length; cut += 1) {
      await files.write(PATH, whole.slice(0, cut))
      const journal = await openJournal(files, PATH)
      expect(journal?.records).toEqual([planned])
      await journal?.append(begun)
      files.crash()
      expect((await readJournal(files, PATH))?.records).toEqual([planned, begun])
    }
  })

  it('cuts off a last line of blocks that never reached the disk', async () => {
    await create(begun)
    const first = (await text()).indexOf('\n') + 1
    await rewrite((whole) => `${whole.slice(0, first)}${'\0'.repeat(30)}\n`)
    expect((await openJournal(files, PATH))?.records).toEqual([planned])
  })

  it('refuses to go on when a line before the last is damaged, and says which', async () => {
    await create(begun, begun)
    const second = (await text()).indexOf('\n') + 20
    await rewrite((whole) => `${whole.slice(0, second)}X${whole.slice(second + 1)}`)
    await expect(openJournal(files, PATH)).rejects.toMatchObject({
      code: 'JOURNAL_DAMAGED',
      exitCode: 5,
      at: { file: PATH, line: 2 },
    })
  })

  it('stays whole when half a line was written before the disk was full', async () => {
    const journal = await create()
    const append = files.append.bind(files)
    files.append = async (path, data) => {
      await append(path, String(data).slice(0, 25))
      throw Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' })
    }
    await expect(journal.append(begun)).rejects.toThrow('ENOSPC')
    files.append = append
    await journal.append(begun)
    expect((await readJournal(files, PATH))?.records).toEqual([planned, begun])
    expect(journal.records).toEqual([planned, begun])
  })

  it('is not changed by reading it while it is written', async () => {
    await create(begun)
    await rewrite((whole) => whole.slice(0, -5))
    const before = await text()
    expect((await readJournal(files, PATH))?.records).toEqual([planned])
    expect(await text()).toBe(before)
  })
})
