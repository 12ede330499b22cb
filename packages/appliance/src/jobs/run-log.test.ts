import { Secret } from '@caretaker/kernel/secrets.ts'
import { MemoryFiles } from '@caretaker/ports/memory-files.ts'
import { expect, it } from 'vitest'
import { MAX_RUN_LOG_BYTES, pruneRunLogs, RunLog, runLogPath } from './run-log.ts'

const PATH = runLogPath('/state', 'shop.tidy', 'run-1')

it('a log is bounded and keeps its beginning and its end', async () => {
  const files = new MemoryFiles()
  const log = new RunLog(files, PATH)
  for (let line = 0; line < 40_000; line += 1) log.line(`line ${line} ${'x'.repeat(60)}`)
  log.line('y'.repeat(3 * MAX_RUN_LOG_BYTES))
  log.line('the broom is broken')
  expect(await log.end()).toBeUndefined()
  const text = (await files.readText(PATH)) ?? ''
  expect(Buffer.byteLength(text)).toBeLessThanOrEqual(MAX_RUN_LOG_BYTES)
  expect(text.startsWith('line 0 ')).toBe(true)
  expect(text.endsWith('the broom is broken\n')).toBe(true)
  expect(text).toContain('more than is kept')
})

it('secrets are masked', async () => {
  const files = new MemoryFiles()
  const secret = new Secret('key', 'correct-horse-battery')
  const log = new RunLog(files, PATH)
  log.line(`the key is ${secret.reveal()}`)
  await log.end()
  expect(await files.readText(PATH)).not.toContain('correct-horse-battery')
})

it('a full disk is said and does not throw', async () => {
  const files = new MemoryFiles()
  const log = new RunLog(files, PATH)
  files.fail('append', 'ENOSPC')
  log.line('something')
  expect(await log.end()).toBeDefined()
})

it('logs of runs that are forgotten are removed', async () => {
  const files = new MemoryFiles()
  for (const run of ['run-1', 'run-2']) {
    const log = new RunLog(files, runLogPath('/state', 'shop.tidy', run))
    log.line('said')
    await log.end()
  }
  expect(await pruneRunLogs(files, '/state', 'shop.tidy', new Set(['run-2']))).toBe(1)
  expect(await files.readText(PATH)).toBeUndefined()
  expect(await files.readText(runLogPath('/state', 'shop.tidy', 'run-2'))).toBe('said\n')
})
