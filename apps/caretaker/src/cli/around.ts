import type { Surrounding } from '@caretaker/appliance/lifecycle/appliance.ts'
import type { OpenedAppliance } from '@caretaker/appliance/lifecycle/open.ts'
import type { Call } from './definition.ts'

/** What the life cycle needs to know of this call. */
export function surroundingOf(call: Call): Surrounding {
  const { ports, places, actor, pid } = call
  return {
    ports,
    actor,
    pid,
    stateFolder: places.stateFolder,
    programs: places.programs,
  }
}

/** The configured appliance this call is about. @throws AppError CONFIG_… */
export async function openFor(call: Call): Promise<OpenedAppliance> {
  const { openConfigured } = await import('@caretaker/appliance/lifecycle/open.ts')
  return openConfigured(surroundingOf(call), call.places.configFile)
}
