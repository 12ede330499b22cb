import { FakeClock } from '@caretaker/ports/fake-clock.ts'
import { MemoryFiles } from '@caretaker/ports/memory-files.ts'
import { expect, test } from 'vitest'
import { followLogs } from './read-logs.ts'

/** Lets the follower look at least once. */
async function look(clock: FakeClock): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) {
    await new Promise((resolve) => setImmediate(resolve))
    await clock.advance(100)
  }
}

test('a followed log gives what is added, whole lines only, also after it was set aside', async () => {
  const files = new MemoryFiles()
  const clock = new FakeClock()
  await files.makeFolder('/logs')
  await files.write('/logs/web.log', 'before\n')
  const stop = new AbortController()
  const lines: string[] = []
  const following = followLogs(
    { runtime: { gatherLogs: async () => undefined }, ports: { files, clock } as never },
    [{ app: 'shop', service: 'web', file: '/logs/web.log' }],
    (line, log) => lines.push(`${log.service}: ${line}`),
    stop.signal,
  )
  await look(clock)
  await files.append('/logs/web.log', 'one\nhalf')
  await look(clock)
  expect(lines).toEqual(['web: one'])
  await files.append('/logs/web.log', ' a line\n')
  await look(clock)
  await files.write('/logs/web.log', 'new\n')
  await look(clock)
  expect(lines).toEqual(['web: one', 'web: half a line', 'web: new'])
  stop.abort()
  await following
})
