import { type Lab, openLab } from '@caretaker/appliance/lifecycle/testing/lab.fixture.ts'
import type { HeldLock } from '@caretaker/ports/lock.ts'
import { withOperationLock } from '@caretaker/steps/operation-lock.ts'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type KeptLab, keepLab } from './testing/kept-lab.fixture.ts'

let lab: Lab
let kept: KeptLab
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
  kept = keepLab(lab, { ...lab.around, ports: { ...lab.ports, locks } })
  await kept.eventually('it is up', async () => (await kept.state()).state === 'running')
})
afterAll(async () => {
  await kept[Symbol.asyncDispose]()
  await lab[Symbol.asyncDispose]()
})

/** What `caretaker job run` and the other commands do in the daemon, reduced to the lock. */
const commands = {
  'job run': (work: () => Promise<string>) => kept.keeper.job(work),
  down: (work: () => Promise<string>) => kept.keeper.command(work, { decides: false }),
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
    await kept.eventually('it serves again', async () => (await lab.get('shop')).status === 200)
  },
)
