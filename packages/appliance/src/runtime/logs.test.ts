import { MemoryFiles } from '@caretaker/ports/memory-files.ts'
import { beforeEach, describe, expect, it } from 'vitest'
import { boundLog, KEPT_LOGS, readLogTail } from './logs.ts'

let files: MemoryFiles
beforeEach(async () => {
  files = new MemoryFiles()
  await files.makeFolder('/logs')
})

describe('boundLog', () => {
  it('leaves a log alone that is not too large, or not there', async () => {
    await files.write('/logs/web.log', 'x'.repeat(100))
    expect(await boundLog(files, '/logs/web.log', 100)).toBe(false)
    expect(await boundLog(files, '/logs/none.log', 100)).toBe(false)
    expect((await files.list('/logs'))?.map(({ name }) => name)).toEqual(['web.log'])
  })

  it('keeps the newest three and what is being written, whatever comes', async () => {
    for (let round = 1; round <= 10; round += 1) {
      await files.append('/logs/web.log', `round ${round} ${'x'.repeat(100)}`)
      expect(await boundLog(files, '/logs/web.log', 100)).toBe(true)
      const entries = (await files.list('/logs')) ?? []
      expect(entries.length).toBeLessThanOrEqual(KEPT_LOGS + 1)
    }
    expect(await files.readText('/logs/web.log')).toBe('')
    for (const [name, round] of [
      ['web.log.1', 10],
      ['web.log.2', 9],
      ['web.log.3', 8],
    ])
      expect(await files.readText(`/logs/${name}`)).toMatch(new RegExp(`^round ${round} `))
  })
})

describe('readLogTail', () => {
  it('gives the last lines without empty ones, fewer when there are fewer, none without a log', async () => {
    await files.write('/logs/web.log', 'one\n\ntwo\nthree\n')
    expect(await readLogTail(files, '/logs/web.log', 2)).toEqual(['two', 'three'])
    expect(await readLogTail(files, '/logs/web.log', 9)).toEqual(['one', 'two', 'three'])
    expect(await readLogTail(files, '/logs/none.log', 9)).toEqual([])
  })

  it('still has them right after the log was set aside', async () => {
    await files.write('/logs/web.log', `${'x'.repeat(200)}\nwhy it ended\n`)
    await boundLog(files, '/logs/web.log', 100)
    await files.append('/logs/web.log', 'started\n')
    expect(await readLogTail(files, '/logs/web.log', 2)).toEqual(['why it ended', 'started'])
  })
})
