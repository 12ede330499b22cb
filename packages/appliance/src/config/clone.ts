import { createHmac } from 'node:crypto'
import { AppError } from '@caretaker/kernel/errors.ts'
import { Secret } from '@caretaker/kernel/secrets.ts'
import type { PinnedSource } from '../release/release.ts'
import type { ApplicationConfig, Config } from './config.ts'

/** What this machine knows of one clone. Times are ISO 8601 instants. */
export interface CloneRecord {
  readonly name: string
  /** Its origin: the application of the config that it is a copy of. */
  readonly app: string
  /** The release of the origin that it was made with. */
  readonly releaseId: string
  readonly pinned: PinnedSource
  readonly createdAt: string
  readonly expiresAt: string
  readonly hosts: readonly string[]
  /** It runs without isolation: a person has said so. */
  readonly allowOutside: boolean
  /** Who wanted it: a person, a rehearsal, or an update that asks whether a release migrates. */
  readonly why: 'person' | 'rehearsal' | 'ask'
  /**
   * `making`: its data is not whole yet. `copied`: it is, and whoever made it works with it; `up` leaves it alone.
   * `ready`: it runs like any application. `removing`: it is on its way out.
   */
  readonly state: 'making' | 'copied' | 'ready' | 'removing'
  /** Its scrub SQL has run. */
  readonly scrubbed: boolean
  /** Its volatile volumes are filled. */
  readonly rebuilt: boolean
  /** What of a rehearsal was done on it. */
  readonly stages?: readonly string[]
}

/**
 * The config with the clones as applications of their own, in place of those it had. A clone whose origin is gone from
 * the config is left out.
 * @throws AppError CONFIG_CONFLICT when the config has come to name an application or a host that a clone has
 */
export function withClones(config: Config, clones: readonly CloneRecord[]): Config {
  const own = ownApplications(config)
  const applications: Record<string, ApplicationConfig> = { ...own }
  for (const clone of clones) {
    const origin = own[clone.app]
    if (!origin) continue
    assertFree(own, clone)
    applications[clone.name] = cloneEntry(config, origin, clone)
  }
  return { ...config, applications }
}

/** The applications that stand in the file. */
export function ownApplications(config: Pick<Config, 'applications'>): Config['applications'] {
  return Object.fromEntries(Object.entries(config.applications).filter(([, { clone }]) => !clone))
}

/** The applications that are to run: all but the clones that are still being worked with. */
export function startedApplications(config: Pick<Config, 'applications'>): readonly string[] {
  return Object.entries(config.applications).flatMap(([name, { clone }]) =>
    clone && clone.state !== 'ready' ? [] : [name],
  )
}

/** The application whose releases an application runs: its own, or for a clone those of its origin. */
export function originOf(config: Pick<Config, 'applications'>, app: string): string {
  return config.applications[app]?.clone?.app ?? app
}

/** Where the mails of a clone are read. */
export function mailHost({ hosts }: Pick<ApplicationConfig, 'hosts'>): string {
  return `mail-${hosts[0]}`
}

/** Whether a clone of this name would be met, or its mails be read, at a host name that is somebody's already. */
export function isCloneHostTaken(
  { identity, applications }: Pick<Config, 'identity' | 'applications'>,
  name: string,
): boolean {
  const host = `${name}.${identity.domain}`
  const wanted = [host, mailHost({ hosts: [host] })]
  const taken = Object.values(applications).flatMap((entry) => [
    ...entry.hosts,
    ...entry.aliases,
    ...(entry.clone ? [mailHost(entry)] : []),
  ])
  return [identity.hostname, ...taken].some((known) => wanted.includes(known))
}

function cloneEntry(config: Config, origin: ApplicationConfig, clone: CloneRecord): ApplicationConfig {
  return {
    source: origin.source,
    ref: origin.ref,
    hosts: clone.hosts,
    aliases: [],
    path_prefix: '/',
    environment: origin.environment,
    secrets: Object.fromEntries(
      Object.keys(origin.secrets).map((name) => [name, cloneSecret(config, clone, name)]),
    ),
    clone,
  }
}

/**
 * The value that a clone gets in place of a secret of its origin: 256 bits as URL-safe text, the same as long as the clone
 * lives, of which nothing follows about the one of the origin.
 */
function cloneSecret(config: Config, { name, createdAt }: CloneRecord, secret: string): Secret {
  const key = config.keys.age_identity.reveal()
  const text = JSON.stringify(['clone-secret', config.id, name, createdAt, secret])
  return new Secret(`${name}/${secret}`, createHmac('sha256', key).update(text).digest('base64url'))
}

function assertFree(own: Config['applications'], { name, hosts, app }: CloneRecord): void {
  const taken = Object.entries(own).find(
    ([other, entry]) =>
      other === name ||
      [...entry.hosts, ...entry.aliases].some((host) => hosts.includes(host) || host === mailHost({ hosts })),
  )
  if (!taken) return
  throw new AppError('CONFIG_CONFLICT', {
    what: 'The config cannot be used',
    why: `its application ${taken[0]} has the name or a host name of the clone ${name} of ${app}`,
    next: `Remove the clone ("caretaker clone remove ${name}"), or give the application another name and host`,
    key: `applications.${taken[0]}`,
  })
}
