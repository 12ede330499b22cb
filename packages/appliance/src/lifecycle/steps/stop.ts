import { MINUTE_MS } from '@caretaker/kernel/time.ts'
import { defineStep } from '@caretaker/steps/step.ts'
import { APPLIANCE, type Slot } from '../../runtime/runtime.ts'
import type { Appliance } from '../appliance.ts'

type StopInput = {
  readonly app: string
  readonly service: string
  /** Absent: `a`. */
  readonly slot?: Slot
}

/** Stops one service: gracefully, then not. */
export const serviceStop = (appliance: Appliance) =>
  defineStep<StopInput, null>({
    kind: 'service.stop',
    describe: ({ app, service }) =>
      app === APPLIANCE ? `Stop the ${service}` : `Stop the service ${service} of ${app}`,
    async check({ app, service, slot }) {
      const status = await appliance.runtime.status(app, service, slot)
      return status === undefined ? { state: 'done' } : { state: 'needed', before: null }
    },
    async apply({ app, service, slot }) {
      await appliance.runtime.stop(app, service, slot)
    },
    undo: 'not-needed',
    timeoutMs: 10 * MINUTE_MS,
  })
