import { dirname, join, resolve } from 'node:path'
import { AppError } from '@caretaker/kernel/errors.ts'
import { sha256 } from '@caretaker/kernel/json.ts'
import type { FileInfo, Files } from '@caretaker/ports/files.ts'
import { openSealedText } from '../sealing/state-seal.ts'
import { CONFIG_FILE, MAX_CONFIG_BYTES } from './config.ts'
import { type ParsedConfig, parseConfig } from './parse.ts'
import { toConfigError } from './problem.ts'
import { tooLarge } from './source-text.ts'

export interface LoadedConfig extends ParsedConfig {
  /** With every secret in clear, whatever the file holds. Goes nowhere but into a sealed or 0600 file of ours. */
  readonly text: string
  /** Whether the secrets in the file are sealed. */
  readonly isSealed: boolean
  /** SHA-256 of the text, in hex. */
  readonly hash: string
}

/** What reading a config needs of the ports. */
export interface ConfigReader {
  readonly files: Pick<Files, 'stat' | 'read' | 'readText' | 'readLink'>
}

/** Where to look, first hit wins (C7). */
export interface ConfigPlaces {
  /** The value of $CARETAKER_CONFIG. When set, nowhere else is looked: what a person names is meant. */
  readonly fromEnvironment?: string | undefined
  readonly stateFolder: string
  /** Default: /etc/caretaker/appliance.yml. */
  readonly systemFile?: string | undefined
}

/** Links that are followed to a config before it is taken for a loop; as Linux does (path_resolution(7)). */
const MOST_LINKS = 40

/**
 * The config of this appliance: $CARETAKER_CONFIG, the state folder, /etc/caretaker.
 * @throws AppError CONFIG_NOT_FOUND with the places looked at, or as {@link loadConfigFile}.
 */
export async function loadConfig(deps: ConfigReader, places: ConfigPlaces): Promise<LoadedConfig> {
  const candidates = configCandidates(places)
  for (const file of candidates) {
    if (await deps.files.stat(file)) return loadConfigFile(deps, file, places.stateFolder)
  }
  const named = places.fromEnvironment ? ' (named by $CARETAKER_CONFIG)' : ''
  throw new AppError('CONFIG_NOT_FOUND', {
    what: 'No config found',
    why: `looked at ${candidates.join(', ')}${named}`,
    next: `Create one with "caretaker config create DOMAIN", or put yours at ${candidates[0]}`,
  })
}

/** The files that {@link loadConfig} looks at, in order. */
export function configCandidates({
  fromEnvironment,
  stateFolder,
  systemFile,
}: ConfigPlaces): readonly string[] {
  if (fromEnvironment) return [resolve(fromEnvironment)]
  return [join(stateFolder, CONFIG_FILE), systemFile ?? `/etc/caretaker/${CONFIG_FILE}`]
}

/**
 * The config in one file. What is sealed in it is opened with the identity in the state folder.
 * @throws AppError CONFIG_NOT_FOUND, CONFIG_PERMISSIONS when others than its owner can read or write it,
 * SEAL_NO_IDENTITY, SEAL_WRONG_IDENTITY, SEAL_BROKEN, or as {@link parseConfig}.
 */
export async function loadConfigFile(
  { files }: ConfigReader,
  file: string,
  stateFolder: string,
): Promise<LoadedConfig> {
  const { path, info } = await followLinks(files, resolve(file))
  if (info?.kind !== 'file') {
    throw new AppError('CONFIG_NOT_FOUND', {
      what: 'No config found',
      why: info === undefined ? `${file} does not exist` : `${file} is no regular file`,
      next: 'Name the file of the config, or create one with "caretaker config create DOMAIN"',
    })
  }
  if ((info.mode & 0o077) !== 0) {
    throw new AppError('CONFIG_PERMISSIONS', {
      what: 'The config was refused',
      why: `it holds secrets, and others than its owner may use ${path} (mode ${info.mode.toString(8).padStart(4, '0')})`,
      next: `If it is your config: chmod 600 ${path}`,
      at: { file },
    })
  }
  if (info.sizeBytes > MAX_CONFIG_BYTES) throw toConfigError([tooLarge(info.sizeBytes)], file)
  const onDisk = decode(await files.read(path), file)
  const text = await openSealedText(files, stateFolder, onDisk)
  return { ...parseConfig(text, file), text, hash: sha256(text), isSealed: text !== onDisk }
}

async function followLinks(
  files: ConfigReader['files'],
  start: string,
): Promise<{ path: string; info: FileInfo | undefined }> {
  let path = start
  for (let hops = 0; hops < MOST_LINKS; hops++) {
    const info = await files.stat(path)
    if (info?.kind !== 'link') return { path, info }
    path = resolve(dirname(path), (await files.readLink(path)) ?? '')
  }
  return { path, info: undefined }
}

function decode(bytes: Uint8Array, file: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    const why = 'it is not a text in UTF-8'
    const next = 'Save it in UTF-8; "file appliance.yml" shows what it is now'
    throw toConfigError([{ code: 'CONFIG_SYNTAX', why, next, line: 1, column: 1 }], file)
  }
}
