import { join } from 'node:path'
import { AppError, toAppError } from '@caretaker/kernel/errors.ts'
import { SECOND_MS } from '@caretaker/kernel/time.ts'
import { waitUntil } from '@caretaker/ports/deadline.ts'
import { defineStep } from '@caretaker/steps/step.ts'
import { storeGatewayConfig } from '../../gateway/client.ts'
import { APPLIANCE } from '../../runtime/runtime.ts'
import { type Appliance } from '../appliance.ts'
import { CADDY_SERVICE, caddySpec, GATEWAY_SERVICE, gatewaySpec } from '../gateway-service.ts'
import { computeGatewayConfig } from '../refresh-gateway.ts'
import { requireCaddy } from '../require-caddy.ts'

const START_LIMIT_MS = 15 * SECOND_MS

/** Starts the gateway, which shows the service page until the applications are there. Comes first. */
export const gatewayStart = (appliance: Appliance) =>
  defineStep<null, null>({
    kind: 'gateway.start',
    describe: () => {
      const { engine, bind, https_port } = appliance.config.gateway
      const name = engine === 'caddy' ? 'Caddy and the gateway' : 'the gateway'
      return `Start ${name} on ${bind}:${https_port}; it shows the service page until everything is up`
    },
    async check() {
      const { runtime, gateway, config } = appliance
      const { engine, bind, https_port } = config.gateway
      const status = await runtime.status(APPLIANCE, GATEWAY_SERVICE)
      const caddy = await runtime.status(APPLIANCE, CADDY_SERVICE)
      const isCaddyRight = caddy?.state === (engine === 'caddy' ? 'running' : undefined)
      if (status?.state !== 'running' || !isCaddyRight) {
        const name = status?.state === 'running' ? 'the process of Caddy' : 'its process'
        return { state: 'needed', before: null, because: () => gone(`${name} ended right after its start`) }
      }
      try {
        const answers = await gateway.status()
        const listens = answers.https?.host === bind && answers.https.port === https_port
        return listens && answers.engine === engine ? { state: 'done' } : { state: 'needed', before: null }
      } catch (error) {
        return { state: 'needed', before: null, because: () => toAppError(error) }
      }
    },
    async apply(_input, _before, { signal }) {
      const { ports, runtime, gateway, gatewayPaths } = appliance
      const byCaddy = appliance.config.gateway.engine === 'caddy'
      if (byCaddy) await requireCaddy(appliance)
      await ports.files.makeFolder(gatewayPaths.folder, 0o700)
      await ports.files.makeFolder(join(gatewayPaths.controlSocket, '..'), 0o711)
      await storeGatewayConfig(ports, gatewayPaths, await computeGatewayConfig(appliance))
      // One that answers but listens elsewhere, or does not answer: the config in force is not the one wanted.
      if ((await runtime.status(APPLIANCE, GATEWAY_SERVICE))?.state === 'running') {
        await runtime.stop(APPLIANCE, GATEWAY_SERVICE)
      }
      if (!byCaddy) await runtime.stop(APPLIANCE, CADDY_SERVICE)
      await ports.files.remove(gatewayPaths.failureFile)
      await runtime.start(gatewaySpec(appliance))
      if (byCaddy) await startCaddy(appliance, signal)
      const up = await waitUntil(ports.clock, { timeoutMs: START_LIMIT_MS, signal }, async () => {
        const running = await areRunning(appliance)
        const status = await gateway.status().catch(() => undefined)
        if (status?.https) return 'listens' as const
        return running ? undefined : ('ended' as const)
      })
      if (up === 'listens') return
      // Its own reason, as a port in use, is more specific than ours: asking once more throws it.
      await gateway.status()
      const log = byCaddy ? 'caddy' : 'gateway'
      throw new AppError('GATEWAY_START_FAILED', {
        what: 'The gateway was not started',
        why: up === 'ended' ? 'it ended right after its start' : 'it does not answer',
        next: `Look at "caretaker logs ${log}", then "caretaker up"`,
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

/** Starts Caddy as soon as the gateway has left it its config; a gateway that has ended is left to the caller. */
async function startCaddy(appliance: Appliance, signal: AbortSignal): Promise<void> {
  const { ports, runtime, gateway } = appliance
  await waitUntil(ports.clock, { timeoutMs: START_LIMIT_MS, signal }, async () => {
    const status = await gateway.status().catch(() => undefined)
    if (status?.configHash !== undefined) return true
    const isRunning = (await runtime.status(APPLIANCE, GATEWAY_SERVICE))?.state === 'running'
    return isRunning ? undefined : true
  })
  if ((await runtime.status(APPLIANCE, GATEWAY_SERVICE))?.state === 'running') {
    await runtime.start(caddySpec(appliance))
  }
}

async function areRunning({ runtime, config }: Appliance): Promise<boolean> {
  const services = [GATEWAY_SERVICE, ...(config.gateway.engine === 'caddy' ? [CADDY_SERVICE] : [])]
  const states = await Promise.all(services.map((service) => runtime.status(APPLIANCE, service)))
  return states.every((status) => status?.state === 'running')
}
