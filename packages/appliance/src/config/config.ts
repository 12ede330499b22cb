import type { Secret } from '@caretaker/kernel/secrets.ts'
import type { CloneRecord } from './clone.ts'

/**
 * The parsed config: what stands under `caretaker:` in `appliance.yml`, every default filled in, frozen.
 * Names are those of the file, so that a key path in a message is the property path in the code.
 */
export interface Config {
  /** UUID of the appliance, also written on its data volume. */
  readonly id: string
  readonly identity: IdentityConfig
  /** The reason why this machine stands by and serves nothing, or false. */
  readonly standby: string | false
  readonly runtime: 'process' | 'docker'
  /** `socket`: absolute path of the engine's unix socket. */
  readonly docker: { readonly socket: string }
  readonly storage: StorageConfig
  readonly gateway: GatewayConfig
  readonly tls: TlsConfig
  readonly postgres: { readonly major: PostgresMajor; readonly image?: string | undefined }
  readonly updates: UpdatesConfig
  readonly recover: { readonly from_backup: boolean; readonly from_dump?: string | undefined }
  /** By name of the application. */
  readonly applications: Readonly<Record<string, ApplicationConfig>>
  readonly keys: KeysConfig
}

export interface UpdatesConfig {
  readonly automatic: boolean
  /** How long a release must be known before it is taken automatically. */
  readonly hold_days: number
  /** As `parseWindow` takes it. */
  readonly window: string
}

export type PostgresMajor = 15 | 16 | 17 | 18

export interface IdentityConfig {
  readonly domain: string
  /** Full name of the machine; `appliance.DOMAIN` unless set. */
  readonly hostname: string
  /** IANA name. */
  readonly time_zone: string
  readonly admin_email: string
}

export interface StorageConfig {
  readonly backend: 'directory' | 'btrfs'
  /** Folder of the data volume; a relative one lies in the state folder (`storageFolders` in folders.ts). */
  readonly data: string
  /** Folder of the volatile volume; a relative one lies in the state folder. */
  readonly volatile: string
  /** Free space that updates and clones must leave, in percent of the data volume. */
  readonly reserve_percent: number
  /** Used space from which a warning is given, in percent of the data volume. */
  readonly warn_percent: number
}

export interface GatewayConfig {
  /** What holds the ports. */
  readonly engine: 'embedded' | 'caddy'
  /** IP address. */
  readonly bind: string
  /** Port for HTTP, or null for none. */
  readonly http_port: number | null
  readonly https_port: number
  /** CIDR ranges. */
  readonly trusted_proxies: readonly string[]
  /** Whether the trusted proxies begin each connection with a PROXY header. */
  readonly proxy_protocol: boolean
  /** How long a request waits at most during a hold, in seconds. */
  readonly hold_seconds: number
}

export interface TlsConfig {
  readonly mode: 'own-ca' | 'acme' | 'provided'
  readonly acme: AcmeConfig
  /** Paths; a relative one lies in the state folder. */
  readonly provided: readonly { readonly certificate: string; readonly key: string }[]
}

export interface AcmeConfig {
  readonly directory: string
  readonly accept_terms: boolean
  readonly challenge: 'http-01' | 'dns-01'
  /** One certificate for `*.DOMAIN` and `DOMAIN`. */
  readonly wildcard: boolean
  /** Path; a relative one lies in the state folder. */
  readonly trusted_ca?: string | undefined
  readonly external_account?: { readonly key_id: string; readonly hmac_key: Secret } | undefined
  readonly dns: AcmeDnsConfig
}

export interface AcmeDnsConfig {
  /** A program and its first arguments. */
  readonly command?: readonly string[] | undefined
  readonly server?: string | undefined
  readonly port: number
  readonly tsig_name?: string | undefined
  readonly tsig_algorithm: 'hmac-sha256' | 'hmac-sha384' | 'hmac-sha512'
  /** Base64. */
  readonly tsig_secret?: Secret | undefined
  readonly wait_seconds: number
}

export interface ApplicationConfig {
  /** Folder, archive or git URL as written in the file. */
  readonly source: string
  /** Branch, tag or commit of a git URL. */
  readonly ref?: string | undefined
  /** At least one; `NAME.DOMAIN` unless set. */
  readonly hosts: readonly string[]
  /** Host names that redirect to the first of `hosts`. */
  readonly aliases: readonly string[]
  /** `/` or `/path` without a slash at the end. Applications may share a host when their prefixes differ. */
  readonly path_prefix: string
  readonly environment: Readonly<Record<string, string>>
  readonly secrets: Readonly<Record<string, Secret>>
  /** Stands in no file: the entry of a clone, which follows from its record and the entry of its origin. */
  readonly clone?: CloneRecord | undefined
}

export interface KeysConfig {
  /** EC P-256, PKCS#8 PEM. */
  readonly ca_key: Secret
  /** AGE-SECRET-KEY-1... */
  readonly age_identity: Secret
  readonly backup_key: Secret
  /** RSA of at least 2048 bits, PKCS#8 PEM. */
  readonly dkim_key: Secret
  /** EC P-256, PKCS#8 PEM; without one the appliance makes and keeps its own. */
  readonly acme_account_key?: Secret | undefined
  /** age recipients whose identity stands only on paper or with persons. */
  readonly recovery: readonly string[]
}

/** Name of the config in the state folder and in /etc/caretaker. */
export const CONFIG_FILE = 'appliance.yml'
/** Largest config, in bytes: what the printed QR sheets can hold. */
export const MAX_CONFIG_BYTES = 128 * 1024
/** What cloud-init looks for in the first line of user-data. */
export const FIRST_LINE = '#cloud-config'
/** File name of the published JSON Schema. */
export const SCHEMA_FILE = 'appliance.schema.json'
