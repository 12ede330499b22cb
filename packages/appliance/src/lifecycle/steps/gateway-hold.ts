import { isAppError } from '@caretaker/kernel/errors.ts'
import { formatDuration, MINUTE_MS } from '@caretaker/kernel/time.ts'
import { defineStep } from '@caretaker/steps/step.ts'
import type { Appliance } from '../appliance.ts'
import { refreshGateway } from '../refresh-gateway.ts'

type HoldInput = {
  readonly app: string
  /** The hold ends by itself after this time (spec G4: nothing is held for ever). */
  readonly limitMs: number
  /** How long requests that are under way may take to be answered. */
  readonly drainMs: number
}

async function isHolding({ gateway }: Appliance, app: string): Promise<boolean> {
  return (await gateway.status()).apps.find((entry) => entry.app === app)?.holding === true
}

/** Requests of an application wait, and those under way are answered. */
export const gatewayHold = (appliance: Appliance) =>
  defineStep<HoldInput, null>({
    kind: 'gateway.hold',
    describe: ({ app, drainMs }) =>
      `Let new requests to ${app} wait, and answer those under way (at most ${formatDuration(drainMs)})`,
    async check({ app }) {
      return (await isHolding(appliance, app)) ? { state: 'done' } : { state: 'needed', before: null }
    },
    async apply({ app, limitMs, drainMs }) {
      await appliance.gateway.hold(app, limitMs)
      await appliance.gateway.drain(app, drainMs)
    },
    async undo({ app }) {
      await letGo(appliance, app)
    },
    timeoutMs: 5 * MINUTE_MS,
  })

/** Lets the requests that wait go on. */
export const gatewayRelease = (appliance: Appliance) =>
  defineStep<{ readonly app: string }, null>({
    kind: 'gateway.release',
    describe: ({ app }) => `Let the requests to ${app} that wait go on`,
    async check({ app }) {
      return (await isHolding(appliance, app)) ? { state: 'needed', before: null } : { state: 'done' }
    },
    apply: ({ app }) => letGo(appliance, app),
    undo: 'not-needed',
    timeoutMs: MINUTE_MS,
  })

/** A gateway that does not answer holds nothing, and is given its config when it is started again. */
async function letGo(appliance: Appliance, app: string): Promise<void> {
  try {
    await refreshGateway(appliance)
    await appliance.gateway.release(app)
  } catch (error) {
    if (!isAppError(error, 'GATEWAY_UNREACHABLE')) throw error
  }
}
