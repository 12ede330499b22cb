import { MINUTE_MS } from '@caretaker/kernel/time.ts'
import { defineStep } from '@caretaker/steps/step.ts'
import { APPLIANCE } from '../../runtime/runtime.ts'
import type { Appliance } from '../appliance.ts'

type StopInput = {
  readonly app: string
  readonly service: string
}

/** Stops one service: gracefully, then not. */
export const serviceStop = (appliance: Appliance) =>
  defineStep<StopInput, null>({
    kind: 'service.stop',
    describe: ({ app, service }) =>
      app === APPLIANCE ? `Stop the ${service}` : `Stop the service ${service} of ${app}`,
    async check({ app, service }) {
      const status = await appliance.runtime.status(app, service)
      return status === undefined ? { state: 'done' } : { state: 'needed', before: null }
    },
    async apply({ app, service }) {
      await appliance.runtime.stop(app, service)
    },
    undo: 'not-needed',
    timeoutMs: 10 * MINUTE_MS,
  })
