import { expect, test } from 'vitest'
import { eventually } from '../support/observe.ts'
import { allIsWell } from './bad-night.ts'
import { startClient, UPLOADS_MS, type WriterClient } from './client-process.ts'
import { lookAt } from './found.ts'
import { judge, type Violation } from './judge.ts'
import { type WriterRig, writerRig } from './rig.ts'
import { answerBeforeCommit, forgetFiles, storageOf } from './sabotage.ts'
import { killNow } from './victims.ts'

const TIMEOUT_MS = 300_000

/** Waits until the client has got this many more acknowledgements for numbers. */
async function acknowledged(client: WriterClient, more: number): Promise<void> {
  const count = () => client.memories().filter(({ kind }) => kind === 'number').length
  const before = count()
  await eventually(`${more} more numbers are acknowledged`, () => count() >= before + more, 60_000)
}

/** What the judge says of a night in which `disturb` happens while a client writes. */
async function judged(
  { appliance, supervisor }: WriterRig,
  disturb: (client: WriterClient) => Promise<void>,
): Promise<readonly Violation[]> {
  supervisor.start()
  await allIsWell(appliance)
  await using client = startClient(appliance, [UPLOADS_MS.short])
  await acknowledged(client, 50)
  await disturb(client)
  await acknowledged(client, 20)
  const memories = await client.finish()
  await allIsWell(appliance)
  return judge(memories, await lookAt(appliance))
}

const kinds = (violations: readonly Violation[]) =>
  [...new Set(violations.map(({ kind }) => kind))].toSorted()

test('the judge finds numbers that were acknowledged before they were kept', {
  timeout: TIMEOUT_MS,
}, async () => {
  await using rig = await writerRig({ change: answerBeforeCommit })
  const violations = await judged(rig, async () => {
    expect(await killNow(rig.appliance, ['web'], () => undefined)).toEqual(['web'])
  })
  expect(kinds(violations)).toEqual(['lost number'])
})

test('the judge finds files that are not there', { timeout: TIMEOUT_MS }, async () => {
  await using rig = await writerRig({ change: forgetFiles })
  const violations = await judged(rig, async () => undefined)
  expect(kinds(violations)).toEqual(['missing file'])
  for (const { about } of violations) expect(Number(about) % 10).toBe(0)
})

test('the judge finds what a switch to an older copy took away', { timeout: TIMEOUT_MS }, async () => {
  await using rig = await writerRig()
  const { appliance } = rig
  let lastKept = 0
  const violations = await judged(rig, async (client) => {
    await appliance.ok('down')
    const storage = await storageOf(appliance)
    await storage.snapshot('guestbook', 'older')
    lastKept = Math.max(...client.memories().map((memory) => (memory.kind === 'number' ? memory.n : 0)))
    await appliance.ok('up')
    await acknowledged(client, 50)
    await appliance.ok('down')
    await storage.switchTo('guestbook', 'older', 'newer')
    await appliance.ok('up')
  })
  const lost = violations.filter(({ kind }) => kind === 'lost number').map(({ about }) => Number(about))
  expect(lost.length).toBeGreaterThanOrEqual(50)
  // All of them came after the copy, give or take what was under way when it was made.
  expect(Math.min(...lost)).toBeGreaterThan(lastKept - 20)
  expect(kinds(violations)).toContain('lost entry')
})
