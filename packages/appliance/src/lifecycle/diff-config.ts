import type { Preview } from '@caretaker/steps/preview.ts'
import { type ConfigChange, compareConfigs } from '../config/compare.ts'
import type { Surrounding } from './appliance.ts'
import { loadInForce } from './open.ts'
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
  const present = await loadInForce(around, configFile)
  if (present.refused) throw present.refused
  const candidate = await openCandidate(around, file, configFile)
  return {
    changes: compareConfigs(present.loaded.config, candidate.loaded.config),
    plan: await previewUp(candidate.appliance, { firstStart: false }, signal),
  }
}
