import { AppError } from '@caretaker/kernel/errors.ts'
import { createProcessRuntime } from '../runtime/process-runtime.ts'
import type { Appliance, Surrounding } from './appliance.ts'
import { down } from './down.ts'
import { foldersOf } from './folders.ts'
import { openInForce } from './open.ts'
import { hideUnconfigured, unconfiguredId } from './unconfigured.ts'

/**
 * Stops applications, Postgres and gateway in order, for as long as no daemon comes: the next one starts them again.
 * `known` is the appliance as it was opened before, which counts also when the config cannot be read any more.
 * @throws AppError LOCKED; the first reason when something could not be stopped
 */
export async function stopEverything(
  around: Surrounding,
  configFile: string | undefined,
  known?: Appliance,
): Promise<void> {
  const appliance = known ?? (await openInForce(around, configFile).catch(() => undefined))?.appliance
  if (!appliance) return hideUnconfigured(around)
  const { errors } = await down(appliance, { remember: false }, () => undefined, new AbortController().signal)
  if (errors[0]) throw AppError.fromReport(errors[0])
}

/** Whether a service, a Postgres or the gateway of this state folder runs. */
export async function anythingRuns(around: Surrounding): Promise<boolean> {
  const { ports, stateFolder, pid } = around
  const opened = await openInForce(around, undefined).catch(() => undefined)
  const volumes = { data: stateFolder, volatile: stateFolder }
  const folder = foldersOf(stateFolder, volumes, ports.machine.user().uid).processes
  const runtime =
    opened?.appliance.runtime ??
    createProcessRuntime(ports, { applianceId: unconfiguredId(stateFolder), folder, pid })
  return (await runtime.list()).some(({ state }) => state === 'running')
}
