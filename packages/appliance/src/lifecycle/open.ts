import { AppError, toAppError } from '@caretaker/kernel/errors.ts'
import { compareConfigs } from '../config/compare.ts'
import { readLastGood } from '../config/last-good.ts'
import { type LoadedConfig, loadConfig, loadConfigFile } from '../config/load.ts'
import { type Appliance, openAppliance, type Surrounding } from './appliance.ts'
import { readFacts } from './facts.ts'

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

export interface LoadedInForce {
  readonly loaded: LoadedConfig
  /** Why the config that is there now is not in force, and the last good one is. */
  readonly refused: AppError | undefined
  /** The config that is there now is valid, another one, and was not applied yet: in force is the one that was. */
  readonly isChanged: boolean
}

export type OpenedInForce = OpenedAppliance & Omit<LoadedInForce, 'loaded'>

/**
 * The appliance with the config in force: the one that was applied last, also while its file holds another one that
 * nobody has applied, or one that is not valid. Before the first start the one that is there.
 * @throws AppError CONFIG_… of the present one when there is no last good one
 */
export async function openInForce(
  around: Surrounding,
  configFile: string | undefined,
): Promise<OpenedInForce> {
  const { loaded, ...found } = await loadInForce(around, configFile)
  return { appliance: await openAppliance(around, loaded.config, loaded.file), loaded, ...found }
}

/**
 * The appliance with the config that is there now, as a start takes it; while that is missing or not valid, with the last
 * good one. @throws AppError CONFIG_… as {@link openInForce}
 */
export async function openForStart(
  around: Surrounding,
  configFile: string | undefined,
): Promise<OpenedInForce> {
  const opened = await openInForce(around, configFile)
  if (!opened.isChanged) return opened
  return { ...(await openConfigured(around, configFile)), refused: undefined, isChanged: false }
}

/** The config in force, as {@link openInForce} takes it. @throws AppError CONFIG_… */
export async function loadInForce(
  around: Pick<Surrounding, 'ports' | 'stateFolder'>,
  configFile: string | undefined,
): Promise<LoadedInForce> {
  const { ports, stateFolder } = around
  try {
    const present = await loadConfig(ports, { fromEnvironment: configFile, stateFolder })
    const applied = await appliedInstead(around, present)
    return { loaded: applied ?? present, refused: undefined, isChanged: applied !== undefined }
  } catch (error) {
    const refused = toAppError(error)
    const last =
      refused.exitCode === 2 || refused.exitCode === 12 ? await readLastGood(ports, stateFolder) : undefined
    if (!last) throw refused
    return { loaded: last, refused: named(refused, last.name), isChanged: false }
  }
}

/** The config that was applied, when the present one means something else. */
async function appliedInstead(
  { ports, stateFolder }: Pick<Surrounding, 'ports' | 'stateFolder'>,
  present: LoadedConfig,
): Promise<LoadedConfig | undefined> {
  const facts = await readFacts(ports.files, stateFolder).catch(() => undefined)
  if (!facts?.startedBefore) return undefined
  const last = await readLastGood(ports, stateFolder).catch(() => undefined)
  // A file that a person names is meant, whatever was applied from elsewhere.
  if (!last || last.hash === present.hash || last.file !== present.file) return undefined
  return compareConfigs(last.config, present.config).length > 0 ? last : undefined
}

function named(refused: AppError, lastGood: string): AppError {
  const report = refused.toReport()
  return AppError.fromReport({ ...report, why: `${report.why}. In force is ${lastGood}` })
}
