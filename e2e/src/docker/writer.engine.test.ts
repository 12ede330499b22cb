import { randomInt } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { badNight } from '../writer/bad-night.ts'
import { type WriterRig, writerRig } from '../writer/rig.ts'
import { summarise } from '../writer/summary.ts'

/** Each fourth is followed by one of the engine. */
const KILLS = Number(process.env['WRITER_KILLS'] ?? 8)
const SEED = Number(process.env['WRITER_SEED'] ?? randomInt(2 ** 31))

let rig: WriterRig
beforeAll(async () => {
  rig = await writerRig({ runtime: 'docker' })
})
afterAll(() => rig?.[Symbol.asyncDispose]())

test(`nothing acknowledged is lost when containers, the engine and caretaker are killed ${KILLS} times (WRITER_SEED=${SEED})`, {
  timeout: 300_000 + KILLS * 60_000,
}, async () => {
  const { supervisor, engine } = rig
  const night = await badNight(rig, { seed: SEED, kills: KILLS })
  const summary = summarise(night)
  console.log(summary)
  expect(night.violations, summary).toEqual([])
  expect(night.kills.flatMap(({ victims }) => victims)).toContain('engine')
  expect(night.memories.filter(({ kind }) => kind === 'number').length).toBeGreaterThan(KILLS * 5)
  expect(await supervisor.stop()).toBe(0)
  expect(engine?.run('ps', '-aq').trim()).toBe('')
})
