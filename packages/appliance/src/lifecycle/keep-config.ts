import { dirname } from 'node:path'
import { writeDurably } from '@caretaker/ports/durable.ts'
import type { Ports } from '@caretaker/ports/ports.ts'
import { keepLastGood } from '../config/last-good.ts'
import type { LoadedConfig } from '../config/load.ts'
import { sealConfigText, sealHeaderOf } from '../sealing/sealed-config.ts'
import { ensureStateSeal } from '../sealing/state-seal.ts'

/** Where an installed appliance has its config; ours to seal like those in the state folder. */
const SYSTEM_FOLDER = '/etc/caretaker/'

/**
 * Remembers the config as the last good one, and seals the secrets of its file when the file is ours: one that a
 * person named stays as that person wrote it.
 */
export async function keepConfig(
  ports: Pick<Ports, 'files' | 'clock'>,
  stateFolder: string,
  loaded: Pick<LoadedConfig, 'config' | 'file' | 'hash' | 'text'>,
): Promise<void> {
  await keepLastGood(ports, stateFolder, loaded)
  if (!isOurs(loaded.file, stateFolder)) return
  const seal = await ensureStateSeal(ports.files, stateFolder, loaded.config.keys)
  const onDisk = (await ports.files.readText(loaded.file)) ?? ''
  const known = sealHeaderOf(onDisk) === seal.header
  const sealed = sealConfigText(known ? onDisk : loaded.text, seal)
  if (sealed !== onDisk) await writeDurably(ports.files, loaded.file, sealed, 0o600)
}

/** Writes a config that was changed by us and keeps it. */
export async function writeConfig(
  ports: Pick<Ports, 'files' | 'clock'>,
  stateFolder: string,
  loaded: Pick<LoadedConfig, 'config' | 'file' | 'hash' | 'text'>,
): Promise<void> {
  await ports.files.makeFolder(dirname(loaded.file))
  const text = isOurs(loaded.file, stateFolder)
    ? sealConfigText(loaded.text, await ensureStateSeal(ports.files, stateFolder, loaded.config.keys))
    : loaded.text
  await writeDurably(ports.files, loaded.file, text, 0o600)
  await keepLastGood(ports, stateFolder, loaded)
}

function isOurs(file: string, stateFolder: string): boolean {
  return file.startsWith(`${stateFolder}/`) || file.startsWith(SYSTEM_FOLDER)
}
