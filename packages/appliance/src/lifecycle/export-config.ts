import { dirname } from 'node:path'
import { AppError } from '@caretaker/kernel/errors.ts'
import { writeDurably } from '@caretaker/ports/durable.ts'
import { loadConfig } from '../config/load.ts'
import type { Surrounding } from './appliance.ts'

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
  if (await ports.files.stat(file)) {
    throw new AppError('CONFIG_EXISTS', {
      what: 'Nothing was exported',
      why: `${file} exists already`,
      next: 'Name a file that does not exist',
    })
  }
  if ((await ports.files.stat(dirname(file)))?.kind !== 'folder') {
    throw new AppError('USAGE', {
      what: 'Nothing was exported',
      why: `there is no folder ${dirname(file)}`,
      next: 'Name a file in a folder that exists',
    })
  }
  await writeDurably(ports.files, file, text, 0o600)
}
