import { HOUR_MS } from '@caretaker/kernel/time.ts'
import { defineStep } from '@caretaker/steps/step.ts'
import type { Appliance } from '../appliance.ts'

/** Room for the way back is held before anything changes: a migration can fill a disk. */
export const roomHold = (appliance: Appliance) =>
  defineStep<{ readonly app: string }, null>({
    kind: 'room.hold',
    describe: ({ app }) => `Hold the room that the way back would need for the data of ${app}`,
    async check({ app }) {
      const { storage } = appliance
      const isHeld = storage.instant || (await storage.holdsRoom(app))
      return isHeld ? { state: 'done' } : { state: 'needed', before: null }
    },
    apply: ({ app }) => appliance.storage.holdRoom(app),
    undo: ({ app }) => appliance.storage.releaseRoom(app),
    timeoutMs: 2 * HOUR_MS,
  })
