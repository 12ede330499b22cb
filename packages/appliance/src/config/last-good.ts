import { join } from 'node:path'
import { AppError } from '@caretaker/kernel/errors.ts'
import { sha256 } from '@caretaker/kernel/json.ts'
import type { Clock } from '@caretaker/ports/clock.ts'
import { writeJsonDurably } from '@caretaker/ports/durable.ts'
import type { Files } from '@caretaker/ports/files.ts'
import { sealConfigText } from '../sealing/sealed-config.ts'
import { ensureStateSeal, openSealedText } from '../sealing/state-seal.ts'
import type { LoadedConfig } from './load.ts'
import { parseConfig } from './parse.ts'

/** The config that was applied last. It stays in force when a newer one is refused. */
export interface LastGoodConfig extends LoadedConfig {
  readonly keptAt: Date
  /** How messages name it, as `appliance.yml as of 2026-11-20 09:30 UTC (1f3a90c2)`. */
  readonly name: string
}

/** One file, so that text and origin are replaced together. */
const LAST_GOOD_FILE = 'last-good-config.json'

interface StoredConfig {
  readonly file: string
  readonly hash: string
  readonly kept_at: string
  /** With its secrets sealed. */
  readonly sealed_text: string
  /** SHA-256 of `sealed_text`, in hex. */
  readonly checksum: string
}

/**
 * Keeps the config as the last good one, durably, with its secrets sealed. Nothing is written when it is kept already.
 */
export async function keepLastGood(
  {
    files,
    clock,
  }: {
    readonly files: Files
    readonly clock: Pick<Clock, 'now'>
  },
  stateFolder: string,
  { config, file, hash, text }: Pick<LoadedConfig, 'config' | 'file' | 'hash' | 'text'>,
): Promise<void> {
  const path = join(stateFolder, LAST_GOOD_FILE)
  const kept = readStored(await files.readText(path))
  if (kept?.hash === hash && kept.file === file) return
  const sealed = sealConfigText(text, await ensureStateSeal(files, stateFolder, config.keys))
  const stored: StoredConfig = {
    file,
    hash,
    kept_at: clock.now().toISOString(),
    sealed_text: sealed,
    checksum: sha256(sealed),
  }
  await writeJsonDurably(files, path, stored)
}

/**
 * The config that was kept last; undefined when none was.
 * @throws AppError STATE_DAMAGED when the file is not what was written, or as {@link parseConfig} when this
 * version no longer accepts it.
 */
export async function readLastGood(
  { files }: { readonly files: Pick<Files, 'readText'> },
  stateFolder: string,
): Promise<LastGoodConfig | undefined> {
  const path = join(stateFolder, LAST_GOOD_FILE)
  const content = await files.readText(path)
  if (content === undefined) return undefined
  const stored = readStored(content)
  if (stored === undefined) {
    throw new AppError('STATE_DAMAGED', {
      what: 'The last good config cannot be used',
      why: `${path} is damaged: its content does not match its checksum`,
      next: `Remove ${path}; the next "caretaker up" with a valid config writes it again`,
    })
  }
  const { file, hash, sealed_text, kept_at } = stored
  const text = await openSealedText(files, stateFolder, sealed_text)
  const name = `${file} as of ${kept_at.slice(0, 16).replace('T', ' ')} UTC (${hash.slice(0, 8)})`
  return { ...parseConfig(text, file), text, hash, isSealed: true, keptAt: new Date(kept_at), name }
}

function readStored(content: string | undefined): StoredConfig | undefined {
  if (content === undefined) return undefined
  try {
    const stored = JSON.parse(content) as Partial<StoredConfig>
    const { file, hash, kept_at, sealed_text, checksum } = stored
    const complete =
      typeof file === 'string' &&
      typeof hash === 'string' &&
      typeof sealed_text === 'string' &&
      typeof kept_at === 'string'
    return complete && sha256(sealed_text) === checksum
      ? { file, hash, kept_at, sealed_text, checksum }
      : undefined
  } catch {
    return undefined
  }
}
