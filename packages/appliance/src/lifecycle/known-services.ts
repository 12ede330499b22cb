import { isAppError } from '@caretaker/kernel/errors.ts'
import { SECOND_MS } from '@caretaker/kernel/time.ts'
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

/** How long a port may be another user's before that is noticed, while the process of its service goes on. */
const LOOK_EVERY_MS = 5 * SECOND_MS

/**
 * Looks after the ports of services. While the same processes run it looks every few seconds only: the kernel tells who
 * listens by going through all connections of the machine, which takes more time than all else the daemon does.
 */
export class LostPorts {
  #seen = { processes: '', untilMs: 0 }

  /** One whose port another user has taken serves nobody: for what is to be done it counts as ended. */
  async without(appliance: Appliance, known: readonly ServiceStatus[]): Promise<readonly ServiceStatus[]> {
    const nowMs = appliance.ports.clock.monotonicMs()
    const processes = known.map(({ pid, state }) => `${pid}/${state}`).join(' ')
    if (nowMs < this.#seen.untilMs && processes === this.#seen.processes) return known
    const found = await Promise.all(known.map((status) => endedIfLost(appliance, status)))
    // One that is lost is looked at until it is not any more.
    const isLost = found.some(({ state }, index) => state !== known[index]?.state)
    this.#seen = { processes, untilMs: isLost ? nowMs : nowMs + LOOK_EVERY_MS }
    return found
  }
}

async function endedIfLost(appliance: Appliance, status: ServiceStatus): Promise<ServiceStatus> {
  const foreign = await foreignHolder(appliance, status.app, status.service, status.slot)
  return foreign === undefined ? status : { ...status, state: 'ended' }
}
