import { AppError, toAppError } from '@caretaker/kernel/errors.ts'
import { readLastGood } from '../config/last-good.ts'
import { type LoadedConfig, loadConfig, loadConfigFile } from '../config/load.ts'
import { type Appliance, openAppliance, type Surrounding } from './appliance.ts'

export interface OpenedAppliance {
  readonly appliance: Appliance
  readonly loaded: LoadedConfig
}

/**
 * The appliance of this state folder with the config that is found now.
 * @throws AppError CONFIG_…
 */
export async function openConfigured(
  around: Surrounding,
  configFile: string | undefined,
): Promise<OpenedAppliance> {
  const loaded = await loadConfig(around.ports, {
    fromEnvironment: configFile,
    stateFolder: around.stateFolder,
  })
  return { appliance: await openAppliance(around, loaded.config, loaded.file), loaded }
}

/** The appliance as it would be with the config in `file`. @throws AppError CONFIG_…, SEAL_… */
export async function openWithFile(around: Surrounding, file: string): Promise<OpenedAppliance> {
  const loaded = await loadConfigFile(around.ports, file, around.stateFolder)
  return { appliance: await openAppliance(around, loaded.config, loaded.file), loaded }
}

export interface OpenedInForce extends OpenedAppliance {
  /** Why the config that is there now is not in force, and the last good one is. */
  readonly refused: AppError | undefined
}

/**
 * The appliance with the config in force: the present one, or, while that is missing or not valid, the last good one.
 * @throws AppError CONFIG_… of the present one when there is no last good one
 */
export async function openInForce(
  around: Surrounding,
  configFile: string | undefined,
): Promise<OpenedInForce> {
  try {
    return { ...(await openConfigured(around, configFile)), refused: undefined }
  } catch (error) {
    const refused = toAppError(error)
    const last =
      refused.exitCode === 2 || refused.exitCode === 12
        ? await readLastGood(around.ports, around.stateFolder)
        : undefined
    if (!last) throw refused
    return {
      appliance: await openAppliance(around, last.config, last.file),
      loaded: last,
      refused: named(refused, last.name),
    }
  }
}

function named(refused: AppError, lastGood: string): AppError {
  const report = refused.toReport()
  return AppError.fromReport({ ...report, why: `${report.why}. In force is ${lastGood}` })
}
