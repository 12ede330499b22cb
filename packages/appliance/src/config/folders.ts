import { resolve } from 'node:path'
import type { Config } from './config.ts'

/** Absolute paths of the data volume and the volatile volume; relative ones lie in the state folder. */
export function storageFolders(
  config: Pick<Config, 'storage'>,
  stateFolder: string,
): { data: string; volatile: string } {
  return {
    data: resolve(stateFolder, config.storage.data),
    volatile: resolve(stateFolder, config.storage.volatile),
  }
}
