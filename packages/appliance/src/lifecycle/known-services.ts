import { isAppError } from '@caretaker/kernel/errors.ts'
import { APPLIANCE, type ServiceStatus } from '../runtime/runtime.ts'
import type { Appliance } from './appliance.ts'
import { CADDY_SERVICE, GATEWAY_SERVICE } from './gateway-service.ts'
import { foreignHolder } from './service-ports.ts'

/** While the engine cannot be asked, what it runs is left alone; it is looked at when it answers again. */
export async function knownServices({
  runtime,
}: Appliance): Promise<{ readonly known: readonly ServiceStatus[]; readonly isEngineAway: boolean }> {
  try {
    return { known: await runtime.list(), isEngineAway: false }
  } catch (error) {
    if (!isAppError(error, 'ENGINE_UNREACHABLE')) throw error
    const own = [GATEWAY_SERVICE, CADDY_SERVICE].map((service) => runtime.status(APPLIANCE, service))
    const known = (await Promise.all(own)).filter((status) => status !== undefined)
    return { known, isEngineAway: true }
  }
}

/** One whose port another user has taken serves nobody: for what is to be done it counts as ended. */
export async function withoutPortLost(
  appliance: Appliance,
  known: readonly ServiceStatus[],
): Promise<readonly ServiceStatus[]> {
  return Promise.all(
    known.map(async (status): Promise<ServiceStatus> => {
      const foreign = await foreignHolder(appliance, status.app, status.service, status.slot)
      return foreign === undefined ? status : { ...status, state: 'ended' }
    }),
  )
}
