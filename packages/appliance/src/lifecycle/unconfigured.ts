import type { AppError } from '@caretaker/kernel/errors.ts'
import { sha256 } from '@caretaker/kernel/json.ts'
import { SECOND_MS } from '@caretaker/kernel/time.ts'
import { waitUntil } from '@caretaker/ports/deadline.ts'
import { createGatewayClient, storeGatewayConfig } from '../gateway/client.ts'
import { gatewayPaths } from '../gateway/gateway.ts'
import type { Endpoint, GatewayConfig } from '../gateway/gateway-config.ts'
import { createProcessRuntime } from '../runtime/process-runtime.ts'
import { APPLIANCE } from '../runtime/runtime.ts'
import type { Surrounding } from './appliance.ts'
import { foldersOf } from './folders.ts'
import { CADDY_SERVICE, GATEWAY_SERVICE, gatewaySpec } from './gateway-service.ts'
import { visitorSentence } from './visitor-sentence.ts'

/** How long a gateway may take that has just been started. */
const LISTENS_WITHIN_MS = 15 * SECOND_MS

/**
 * Shows the service page with the reason why there is no config, so that whoever comes by reads it. Repeated it changes
 * only the reason.
 */
export async function showUnconfigured(
  around: Surrounding,
  endpoints: { readonly http: Endpoint; readonly https: Endpoint },
  error: AppError,
): Promise<void> {
  const { ports, stateFolder, programs, pid } = around
  const folders = foldersOf(
    stateFolder,
    { data: stateFolder, volatile: stateFolder },
    ports.machine.user().uid,
  )
  const paths = gatewayPaths(stateFolder, folders.run)
  const config: GatewayConfig = {
    applianceId: 'unconfigured',
    ...endpoints,
    certificates: [],
    routes: [],
    service: {
      code: error.code,
      reason: visitorSentence(error.what),
      next: error.next.slice(0, 2000),
      since: ports.clock.now().toISOString(),
    },
    trustedProxies: [],
  }
  const applianceId = unconfiguredId(stateFolder)
  const runtime = createProcessRuntime(ports, { applianceId, folder: folders.processes, pid })
  const gateway = createGatewayClient(ports, paths)
  if ((await runtime.status(APPLIANCE, GATEWAY_SERVICE))?.state === 'running') {
    const { engine } = await gateway.status()
    await gateway.apply(engine === 'caddy' ? { ...config, engine } : config)
    return
  }
  await runtime.stop(APPLIANCE, CADDY_SERVICE)
  await storeGatewayConfig(ports, paths, config)
  await runtime.start(gatewaySpec({ programs, folders, gatewayPaths: paths, stateFolder }))
  // Who is told that the daemon is ready looks at once. One that cannot come up says why in its log.
  await waitUntil(ports.clock, { timeoutMs: LISTENS_WITHIN_MS }, async () => {
    const isRunning = (await runtime.status(APPLIANCE, GATEWAY_SERVICE))?.state === 'running'
    return isRunning ? gateway.status().catch(() => undefined) : 'ended'
  })
}

/** What labels the processes of an appliance that has no id yet: another one on this machine is not meant by it. */
export function unconfiguredId(stateFolder: string): string {
  return `unconfigured-${sha256(stateFolder).slice(0, 12)}`
}

/** Why there is no config in force, with the place in the file: in `status`. Visitors read what failed. */
export function whyUnconfigured({ what, why, at }: AppError): string {
  return `${what}: ${why}${at?.line === undefined ? '' : ` (${at.file}:${at.line})`}`
}

/** Ends what {@link showUnconfigured} started; nothing happens when it runs no more. */
export async function hideUnconfigured({ ports, stateFolder, pid }: Surrounding): Promise<void> {
  const { processes } = foldersOf(
    stateFolder,
    { data: stateFolder, volatile: stateFolder },
    ports.machine.user().uid,
  )
  const applianceId = unconfiguredId(stateFolder)
  const runtime = createProcessRuntime(ports, { applianceId, folder: processes, pid })
  await runtime.stop(APPLIANCE, CADDY_SERVICE)
  await runtime.stop(APPLIANCE, GATEWAY_SERVICE)
}
