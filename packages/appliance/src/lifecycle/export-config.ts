import { writeDurably } from '@caretaker/ports/durable.ts'
import { loadConfig } from '../config/load.ts'
import type { Surrounding } from './appliance.ts'
import { assertNewFile } from './new-file.ts'

/**
 * Writes the config in force with every secret in clear: the one file that brings everything back.
 * @throws AppError CONFIG_EXISTS, CONFIG_…, SEAL_…
 */
export async function exportConfig(
  { ports, stateFolder }: Pick<Surrounding, 'ports' | 'stateFolder'>,
  configFile: string | undefined,
  file: string,
): Promise<void> {
  const { text } = await loadConfig(ports, { fromEnvironment: configFile, stateFolder })
  await assertNewFile(ports.files, file, 'Nothing was exported', 'CONFIG_EXISTS')
  await writeDurably(ports.files, file, text, 0o600)
}
