import type { Surrounding } from '@caretaker/appliance/lifecycle/appliance.ts'
import type { OpenedAppliance, OpenedInForce } from '@caretaker/appliance/lifecycle/open.ts'
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

/**
 * The appliance with the config that is there now, for what follows or changes it.
 * @throws AppError CONFIG_…; it names the last good config when one is in force instead
 */
export async function openFor(call: Call): Promise<OpenedAppliance> {
  const opened = await openInForceFor(call)
  if (opened.refused) throw opened.refused
  return opened
}

/**
 * The appliance with the config in force, for what looks at it or stops it: that must go on working while a new config
 * is not valid yet.
 * @throws AppError CONFIG_… when there is no last good config either
 */
export async function openInForceFor(call: Call): Promise<OpenedInForce> {
  const { openInForce } = await import('@caretaker/appliance/lifecycle/open.ts')
  return openInForce(surroundingOf(call), call.places.configFile)
}
