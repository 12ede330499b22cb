import { randomInt } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { badNight, LONGEST_ABSENCE_MS } from './bad-night.ts'
import { processesOf } from './leftovers.ts'
import { type WriterRig, writerRig } from './rig.ts'
import { gapsOf, summarise } from './summary.ts'

/** A round of kills has twelve: each victim alone, and some together. */
const KILLS = Number(process.env['WRITER_KILLS'] ?? 12)
const SEED = Number(process.env['WRITER_SEED'] ?? randomInt(2 ** 31))

let rig: WriterRig
beforeAll(async () => {
  rig = await writerRig()
})
afterAll(() => rig?.[Symbol.asyncDispose]())

test(`nothing acknowledged is lost when what runs is killed ${KILLS} times (WRITER_SEED=${SEED})`, {
  timeout: 300_000 + KILLS * 30_000,
}, async () => {
  const { appliance, supervisor } = rig
  const night = await badNight(rig, { seed: SEED, kills: KILLS })
  const summary = summarise(night)
  console.log(summary)
  expect(night.violations, summary).toEqual([])
  // The client has worked, and was disturbed.
  const of = (kind: string) => night.memories.filter((memory) => memory.kind === kind).length
  expect(of('number')).toBeGreaterThan(KILLS * 10)
  expect(of('entry')).toBeGreaterThan(0)
  expect(of('trouble')).toBeGreaterThan(0)
  expect(of('open number')).toBe(0)
  for (const { kill, ms } of gapsOf(night.kills, night.memories))
    expect(ms, kill.victims.join(', ')).toBeLessThan(LONGEST_ABSENCE_MS)
  // The guestbook's own comparison agrees with ours.
  const verified = await appliance.request('/numbers/verify')
  expect(JSON.parse(verified.body)).toMatchObject({ ok: true, rows: night.found.numbers.length })

  const { appliance: id } = await appliance.json<{ appliance: { id: string } }>('status')
  expect(await supervisor.stop()).toBe(0)
  expect(processesOf(id.id, appliance.state)).toEqual([])
})
