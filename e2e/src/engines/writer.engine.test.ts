import { randomInt } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { eventually } from '../support/observe.ts'
import { allIsWell, badNight, LONGEST_ABSENCE_MS } from '../writer/bad-night.ts'
import { processesOf } from '../writer/leftovers.ts'
import { type WriterRig, writerRig } from '../writer/rig.ts'
import { summarise } from '../writer/summary.ts'
import { pidOfCaddy } from '../writer/victims.ts'

/** A round with Caddy has thirteen; each fourth is followed by one of the engine of the containers. */
const KILLS = Number(process.env['WRITER_KILLS'] ?? 13)
const SEED = Number(process.env['WRITER_SEED'] ?? randomInt(2 ** 31))

let rig: WriterRig
beforeAll(async () => {
  rig = await writerRig({ storage: 'btrfs', runtime: 'docker', gateway: 'caddy' })
})
afterAll(() => rig?.[Symbol.asyncDispose]())

test('Caddy comes back while the engine of the containers is away', { timeout: 300_000 }, async () => {
  const { appliance, supervisor, engine } = rig
  supervisor.start()
  await allIsWell(appliance)
  await engine?.kill('containerd')
  await engine?.kill('dockerd')
  try {
    const before = pidOfCaddy(appliance)
    expect(before).toBeDefined()
    process.kill(before ?? 0, 'SIGKILL')
    const isServed = async () => (await appliance.request('/')).status > 0
    await eventually('visitors get an answer', isServed, LONGEST_ABSENCE_MS)
    expect(pidOfCaddy(appliance)).not.toBe(before)
  } finally {
    await engine?.restart()
  }
  await allIsWell(appliance)
})

test(`nothing acknowledged is lost on btrfs, in containers and behind Caddy when all of it is killed ${KILLS} times (WRITER_SEED=${SEED})`, {
  timeout: 300_000 + KILLS * 60_000,
}, async () => {
  const { appliance, supervisor, engine, victims } = rig
  const night = await badNight(rig, { seed: SEED, kills: KILLS })
  const summary = summarise(night)
  console.log(summary)
  expect(night.violations, summary).toEqual([])
  const killed = new Set(night.kills.flatMap((kill) => kill.victims))
  if (KILLS >= 13) expect(killed).toEqual(new Set([...victims, 'engine']))
  expect(night.memories.filter(({ kind }) => kind === 'number').length).toBeGreaterThan(KILLS * 5)

  const { appliance: id } = await appliance.json<{ appliance: { id: string } }>('status')
  expect(await supervisor.stop()).toBe(0)
  expect(processesOf(id.id, appliance.state)).toEqual([])
  expect(engine?.run('ps', '-aq').trim()).toBe('')
})
