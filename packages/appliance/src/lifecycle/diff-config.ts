import type { Preview } from '@caretaker/steps/preview.ts'
import { type ConfigChange, compareConfigs } from '../config/compare.ts'
import { loadConfig } from '../config/load.ts'
import type { Surrounding } from './appliance.ts'
import { previewUp } from './preview-up.ts'
import { openCandidate } from './put-config.ts'

export interface ConfigDiff {
  readonly changes: readonly ConfigChange[]
  readonly plan: readonly Preview[]
}

/** What `up FILE` would change here: settings, then steps. @throws AppError CONFIG_… of either config */
export async function diffConfig(
  around: Surrounding,
  file: string,
  configFile: string | undefined,
  signal: AbortSignal,
): Promise<ConfigDiff> {
  const present = await loadConfig(around.ports, {
    fromEnvironment: configFile,
    stateFolder: around.stateFolder,
  })
  const candidate = await openCandidate(around, file, configFile)
  return {
    changes: compareConfigs(present.config, candidate.loaded.config),
    plan: await previewUp(candidate.appliance, { firstStart: false }, signal),
  }
}
