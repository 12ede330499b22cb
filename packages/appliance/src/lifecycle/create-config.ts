import { dirname, join } from 'node:path'
import { AppError } from '@caretaker/kernel/errors.ts'
import { writeDurably } from '@caretaker/ports/durable.ts'
import type { Files } from '@caretaker/ports/files.ts'
import { CONFIG_FILE, SCHEMA_FILE } from '../config/config.ts'
import { createConfigText } from '../config/create.ts'
import { formatDnsRecord } from '../config/dns.ts'
import { configJsonSchema } from '../config/json-schema.ts'
import { PLACES } from '../installation/places.ts'
import type { Surrounding } from './appliance.ts'

/** As typed; numbers are still text. */
export interface WantedConfig {
  readonly domain: string
  /** Absolute path of the file to write. */
  readonly file: string
  readonly hostname: string | undefined
  readonly adminEmail: string | undefined
  readonly timeZone: string | undefined
  readonly postgres: string | undefined
  readonly bind: string | undefined
  readonly httpsPort: string | undefined
  readonly httpPort: string | undefined
  readonly ipv4: string | undefined
  readonly ipv6: string | undefined
}

/** Where a new config is written unless a person says: on a machine with an installed caretaker beside other settings. */
export async function newConfigFile(files: Pick<Files, 'stat'>, stateFolder: string): Promise<string> {
  const inState = join(stateFolder, CONFIG_FILE)
  // One that is there counts first: a new one beside it would have no effect.
  if (stateFolder !== PLACES.state || (await files.stat(inState))) return inState
  return (await files.stat(PLACES.config))?.kind === 'folder' ? join(PLACES.config, CONFIG_FILE) : inState
}

/**
 * Writes a new config with mode 0600; never over an existing file.
 * @throws AppError CONFIG_EXISTS, USAGE, or as `createConfigText`
 */
export async function createConfig(
  around: Surrounding,
  wanted: WantedConfig,
): Promise<{ readonly file: string; readonly dns_records: readonly string[] }> {
  const { files, clock } = around.ports
  const { file } = wanted
  if (await files.stat(file)) throw exists(file)
  const { text, dnsRecords } = await createConfigText({
    domain: wanted.domain,
    hostname: wanted.hostname,
    adminEmail: wanted.adminEmail,
    timeZone: wanted.timeZone,
    ipv4: wanted.ipv4,
    ipv6: wanted.ipv6,
    ...(wanted.postgres === undefined ? {} : { postgresMajor: numberOf('--postgres', wanted.postgres) }),
    gateway: {
      ...(wanted.bind === undefined ? {} : { bind: wanted.bind }),
      ...(wanted.httpsPort === undefined ? {} : { https_port: numberOf('--https-port', wanted.httpsPort) }),
      ...(wanted.httpPort === undefined
        ? {}
        : { http_port: wanted.httpPort === 'none' ? null : numberOf('--http-port', wanted.httpPort) }),
    },
    now: clock.now(),
  })
  await files.makeFolder(dirname(file), 0o711)
  // Of two who create it at once, one is told: the keys of neither are lost.
  await files.create(file, '', 0o600).catch((error: unknown) => {
    throw (error as NodeJS.ErrnoException).code === 'EEXIST' ? exists(file) : error
  })
  await writeDurably(files, file, text, 0o600)
  // The first lines of the config name it, for editors.
  const schema = `${JSON.stringify(configJsonSchema(), null, 2)}\n`
  await writeDurably(files, join(dirname(file), SCHEMA_FILE), schema, 0o644)
  return { file, dns_records: dnsRecords.map(formatDnsRecord) }
}

function numberOf(option: string, text: string): number {
  if (/^\d{1,5}$/.test(text)) return Number(text)
  throw new AppError('USAGE', {
    what: 'No config was created',
    why: `${option} wants a whole number, not "${text}"`,
    next: `Write a number after ${option}`,
  })
}

function exists(file: string): AppError {
  return new AppError('CONFIG_EXISTS', {
    what: 'No config was created',
    why: `${file} exists already, and its keys would be lost`,
    next: 'Move it away, or write to another file with --out FILE',
  })
}
