import { applianceId, generatePassword } from '@caretaker/kernel/ids.ts'
import { type Config, SCHEMA_FILE } from './config.ts'
import { createKeys } from './create-keys.ts'
import { type DnsRecord, planDnsRecords } from './dns.ts'
import { parseConfig } from './parse.ts'
import { renderConfigText } from './render.ts'

/** An application of a new config. */
export interface NewApplication {
  readonly source: string
  readonly ref?: string | undefined
  readonly hosts?: readonly string[] | undefined
  readonly aliases?: readonly string[] | undefined
  readonly pathPrefix?: string | undefined
  readonly environment?: Readonly<Record<string, string>> | undefined
  /** Names of the secrets its compose file declares; each gets a generated value. */
  readonly secretNames?: readonly string[] | undefined
}

export interface NewConfig {
  readonly domain: string
  readonly hostname?: string | undefined
  /** Default: admin@DOMAIN. */
  readonly adminEmail?: string | undefined
  readonly timeZone?: string | undefined
  readonly applications?: Readonly<Record<string, NewApplication>> | undefined
  readonly gateway?: Partial<Config['gateway']> | undefined
  readonly storage?: Partial<Config['storage']> | undefined
  readonly postgresMajor?: number | undefined
  /** Public addresses of the machine, for the DNS records. */
  readonly ipv4?: string | undefined
  readonly ipv6?: string | undefined
  /** age recipients that can open backups and bundles too. */
  readonly recovery?: readonly string[] | undefined
  /** What the `$schema` comment names. Default: the schema beside the config. */
  readonly schema?: string | undefined
  readonly now: Date
}

/**
 * A new config with generated id, keys and application secrets, every setting explained, and its DNS records.
 * The text is a secret: the caller writes it with mode 0600. It is plain ASCII when the input is.
 * @throws AppError as {@link parseConfig} when the input does not make a valid config.
 */
export async function createConfigText(
  wanted: NewConfig,
): Promise<{ text: string; dnsRecords: readonly DnsRecord[] }> {
  const { domain } = wanted
  const keys = await createKeys()
  const values = {
    id: applianceId(),
    identity: {
      domain,
      hostname: wanted.hostname ?? `appliance.${domain}`,
      time_zone: wanted.timeZone ?? 'UTC',
      admin_email: wanted.adminEmail ?? `admin@${domain}`,
    },
    storage: wanted.storage ?? {},
    gateway: wanted.gateway ?? {},
    postgres: wanted.postgresMajor === undefined ? {} : { major: wanted.postgresMajor },
    applications: Object.fromEntries(
      Object.entries(wanted.applications ?? {}).map(([name, entry]) => [
        name,
        {
          hosts: [`${name}.${domain}`],
          ...applicationEntry(entry),
        },
      ]),
    ),
    keys: { ...keys, recovery: wanted.recovery ?? [] },
  }
  const about = [
    `Config of the appliance for ${domain}, created by "caretaker config create" on ${wanted.now.toISOString().slice(0, 10)}.`,
    'With the backup it brings everything back: keep a copy away from the machine. It is secret: it holds all keys.',
    '"caretaker config check FILE" checks it, "caretaker up" applies it.',
    'Editors read the schema named above; "caretaker config schema" prints it.',
  ]
  const input = { values, dnsRecords: [], schema: wanted.schema ?? SCHEMA_FILE, about }
  const { config } = parseConfig(renderConfigText(input), 'the new config')
  const dnsRecords = planDnsRecords({
    domain,
    hostname: config.identity.hostname,
    adminEmail: config.identity.admin_email,
    hosts: Object.values(config.applications).flatMap(({ hosts, aliases }) => [...hosts, ...aliases]),
    dkimKeyPem: keys.dkim_key,
    ipv4: wanted.ipv4,
    ipv6: wanted.ipv6,
  })
  return { text: renderConfigText({ ...input, dnsRecords }), dnsRecords }
}

/** The entry under `applications:` as it stands in the file, with generated secrets. */
export function applicationEntry(entry: NewApplication) {
  const { source, ref, hosts, aliases, environment = {}, secretNames = [] } = entry
  return {
    source,
    ...(ref === undefined ? {} : { ref }),
    ...(hosts === undefined ? {} : { hosts }),
    ...(aliases === undefined ? {} : { aliases }),
    ...(entry.pathPrefix === undefined ? {} : { path_prefix: entry.pathPrefix }),
    environment,
    secrets: Object.fromEntries(secretNames.map((name) => [name, generatePassword()])),
  }
}
