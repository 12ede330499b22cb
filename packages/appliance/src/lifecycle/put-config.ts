import { AppError } from '@caretaker/kernel/errors.ts'
import { configCandidates, loadConfig } from '../config/load.ts'
import { type Appliance, openAppliance, type Surrounding } from './appliance.ts'
import { keepConfig, writeConfig } from './keep-config.ts'
import { type OpenedAppliance, openWithFile } from './open.ts'

/**
 * The appliance as it would be with the config in `file`.
 * @throws AppError CONFIG_…; CONFIG_CONFLICT when the file is another appliance's config
 */
export async function openCandidate(
  around: Surrounding,
  file: string,
  configFile: string | undefined,
): Promise<OpenedAppliance> {
  const candidate = await openWithFile(around, file)
  const present = await presentId(around, configFile)
  if (present !== undefined && present !== candidate.loaded.config.id) {
    throw new AppError('CONFIG_CONFLICT', {
      what: `${file} was not put in force`,
      why: `it is the config of the appliance ${candidate.loaded.config.id}, this one is ${present}`,
      next: 'Use the config of this appliance; for another appliance name another state folder with --state',
      key: 'caretaker.id',
      at: { file },
    })
  }
  return candidate
}

/** Makes the candidate the config of this state folder, and remembers it as the last good one. */
export async function putConfigInForce(
  { appliance, loaded }: OpenedAppliance,
  configFile: string | undefined,
): Promise<Appliance> {
  const { ports, stateFolder } = appliance
  const target = configCandidates({ fromEnvironment: configFile, stateFolder })[0] as string
  const known = configCandidates({ fromEnvironment: configFile, stateFolder })
  await ports.files.makeFolder(stateFolder, 0o711)
  if (known.includes(loaded.file)) {
    await keepConfig(ports, stateFolder, loaded)
    return appliance
  }
  await writeConfig(ports, stateFolder, { ...loaded, file: target })
  return openAppliance(appliance, loaded.config, target)
}

async function presentId(around: Surrounding, configFile: string | undefined): Promise<string | undefined> {
  try {
    return (await loadConfig(around.ports, { fromEnvironment: configFile, stateFolder: around.stateFolder }))
      .config.id
  } catch {
    // None, or one that is not valid: the candidate takes its place.
    return undefined
  }
}
