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
 * The appliance with the config in force, for what works with it while the one that is there now is valid.
 * @throws AppError CONFIG_…; it names the last good config when one is in force instead
 */
export async function openFor(call: Call): Promise<OpenedInForce> {
  const opened = await openInForceFor(call)
  if (opened.refused) throw opened.refused
  return opened
}

/** The appliance with the config that is there now, for what applies it. @throws AppError CONFIG_… as {@link openFor} */
export async function openPresentFor(call: Call): Promise<OpenedAppliance> {
  const opened = await openFor(call)
  if (!opened.isChanged) return opened
  const { openConfigured } = await import('@caretaker/appliance/lifecycle/open.ts')
  return openConfigured(surroundingOf(call), call.places.configFile)
}

/**
 * {@link openFor} for what writes the config: what else was changed in its file must not come in force by that.
 * @throws AppError CONFIG_…, CONFIG_NOT_APPLIED
 */
export async function openToChangeFor(call: Call): Promise<OpenedAppliance> {
  const opened = await openFor(call)
  if (!opened.isChanged) return opened
  const { AppError } = await import('@caretaker/kernel/errors.ts')
  throw new AppError('CONFIG_NOT_APPLIED', {
    what: 'Nothing was done',
    why: `${opened.loaded.file} was changed and is not in force yet, and this command writes it too`,
    next: `"caretaker config diff ${opened.loaded.file}" shows the changes; "caretaker up" puts them in force. Then repeat the command`,
  })
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
