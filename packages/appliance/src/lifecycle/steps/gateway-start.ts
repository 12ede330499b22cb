import { join } from 'node:path'
import { AppError, toAppError } from '@caretaker/kernel/errors.ts'
import { SECOND_MS } from '@caretaker/kernel/time.ts'
import { waitUntil } from '@caretaker/ports/deadline.ts'
import { defineStep } from '@caretaker/steps/step.ts'
import { storeGatewayConfig } from '../../gateway/client.ts'
import { APPLIANCE } from '../../runtime/runtime.ts'
import { type Appliance } from '../appliance.ts'
import { GATEWAY_SERVICE, gatewaySpec } from '../gateway-service.ts'
import { computeGatewayConfig } from '../refresh-gateway.ts'

const START_LIMIT_MS = 15 * SECOND_MS

/** Starts the gateway, which shows the service page until the applications are there. Comes first. */
export const gatewayStart = (appliance: Appliance) =>
  defineStep<null, null>({
    kind: 'gateway.start',
    describe: () => {
      const { bind, https_port } = appliance.config.gateway
      return `Start the gateway on ${bind}:${https_port}; it shows the service page until everything is up`
    },
    async check() {
      const status = await appliance.runtime.status(APPLIANCE, GATEWAY_SERVICE)
      if (status?.state !== 'running')
        return {
          state: 'needed',
          before: null,
          because: () => gone('its process ended right after its start'),
        }
      const { bind, https_port } = appliance.config.gateway
      try {
        const { https } = await appliance.gateway.status()
        const listens = https?.host === bind && https.port === https_port
        return listens ? { state: 'done' } : { state: 'needed', before: null }
      } catch (error) {
        return { state: 'needed', before: null, because: () => toAppError(error) }
      }
    },
    async apply(_input, _before, { signal }) {
      const { ports, runtime, gateway, gatewayPaths } = appliance
      await ports.files.makeFolder(gatewayPaths.folder, 0o700)
      await ports.files.makeFolder(join(gatewayPaths.controlSocket, '..'), 0o711)
      await storeGatewayConfig(ports, gatewayPaths, await computeGatewayConfig(appliance))
      // One that answers but listens elsewhere, or does not answer: the config in force is not the one wanted.
      if ((await runtime.status(APPLIANCE, GATEWAY_SERVICE))?.state === 'running') {
        await runtime.stop(APPLIANCE, GATEWAY_SERVICE)
      }
      await ports.files.remove(gatewayPaths.failureFile)
      await runtime.start(gatewaySpec(appliance))
      const up = await waitUntil(ports.clock, { timeoutMs: START_LIMIT_MS, signal }, async () => {
        const running = (await runtime.status(APPLIANCE, GATEWAY_SERVICE))?.state === 'running'
        const status = await gateway.status().catch(() => undefined)
        if (status?.https) return 'listens' as const
        return running ? undefined : ('ended' as const)
      })
      if (up === 'listens') return
      // Its own reason, as a port in use, is more specific than ours: asking once more throws it.
      await gateway.status()
      throw new AppError('GATEWAY_START_FAILED', {
        what: 'The gateway was not started',
        why: up === 'ended' ? 'it ended right after its start' : 'it does not answer',
        next: 'Look at "caretaker logs gateway", then "caretaker up"',
      })
    },
    undo: 'not-needed',
    timeoutMs: 60 * SECOND_MS,
  })

function gone(why: string): AppError {
  return new AppError('GATEWAY_UNREACHABLE', {
    what: 'The gateway was started and does not answer',
    why,
    next: '"caretaker up" starts it again; "caretaker logs gateway" tells why it ended',
  })
}
