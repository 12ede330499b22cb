import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { status } from '@caretaker/appliance/lifecycle/status.ts'
import { type Lab, openLab } from '@caretaker/appliance/lifecycle/testing/lab.fixture.ts'
import type { HeldLock } from '@caretaker/ports/lock.ts'
import { withOperationLock } from '@caretaker/steps/operation-lock.ts'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createDaemonLog } from './daemon-log.ts'
import { Keeper } from './keeper.ts'

const stop = new AbortController()

let lab: Lab
let keeper: Keeper
let kept: Promise<void>
/** Called while the daemon holds the lock that it has just taken. */
let onTaken: () => void = () => undefined

beforeAll(async () => {
  lab = await openLab({ shop: {} })
  const locks = {
    async tryAcquire(path: string): Promise<HeldLock | undefined> {
      const held = await lab.ports.locks.tryAcquire(path)
      if (held) onTaken()
      return held
    },
  }
  const around = { ...lab.around, ports: { ...lab.ports, locks } }
  const places = { stateFolder: lab.stateFolder, configFile: lab.configFile, programs: around.programs }
  const options = { around, configFile: lab.configFile, places, pagePort: 0, signal: stop.signal }
  const log = createDaemonLog(lab.ports, join(lab.stateFolder, 'logs', 'appliance', 'daemon.log'))
  keeper = new Keeper(options, log)
  kept = keeper.run(stop.signal)
  await eventually('it is up', async () => (await stateNow()).state === 'running')
}, 120_000)
afterAll(async () => {
  stop.abort()
  await kept
  await lab[Symbol.asyncDispose]()
})

async function eventually(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 90_000
  while (!(await isSo().catch(() => false))) {
    if (performance.now() > deadline) throw new Error(`not within 90 s: ${what}`)
    await pause(20)
  }
}

const stateNow = async () => status((await lab.open()).appliance, process.pid)

/** What `caretaker job run` and the other commands do in the daemon, reduced to the lock. */
const commands = {
  'job run': (work: () => Promise<string>) => keeper.job(work),
  down: (work: () => Promise<string>) => keeper.command(work, { decides: false }),
}

it.each(['job run', 'down'] as const)(
  '"%s" is not refused because something is just being started again',
  async (name) => {
    const { appliance } = await lab.open()
    const web = await appliance.runtime.status('shop', 'web')
    const { ports, stateFolder, actor, pid } = lab.around
    const asked = new Promise<string>((resolve, reject) => {
      onTaken = () => {
        onTaken = () => undefined
        const work = () =>
          withOperationLock(ports, stateFolder, { actor, purpose: name, pid }, async () => 'done')
        commands[name](work).then(resolve, reject)
      }
    })
    await lab.ports.processes.signal(web!.identity!, 'SIGKILL')
    await expect(asked).resolves.toBe('done')
    await eventually('it serves again', async () => (await lab.get('shop')).status === 200)
  },
)
