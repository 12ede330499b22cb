import { type MaybeSecret, reveal, Secret } from '@caretaker/kernel/secrets.ts'
import type { DatabaseAddress } from '@caretaker/ports/database.ts'
import { databaseUrl } from '../database/address.ts'
import type { Application, Service } from './application.ts'
import type { LateText } from './interpolate.ts'

/** What the runtime and the appliance know about one start of an application. */
export interface WiringFacts {
  readonly publicUrl: string
  readonly timeZone: string
  /** Home folder of the service; may be lost. Undefined: the one of its image. */
  readonly home: string | undefined
  /** PATH with the pinned Node first. Undefined: the one of its image. */
  readonly path: string | undefined
  /** Needed when the application has a database. */
  readonly database: DatabaseAddress | undefined
  /** Service → the port it must listen on. */
  readonly listenPorts: Readonly<Record<string, number>>
  /** Service → base URL under which the others reach it, without a slash at the end. */
  readonly urls: Readonly<Record<string, string>>
  /** Volume → path that the service sees. */
  readonly volumePaths: Readonly<Record<string, string>>
  /** Secret → path of its file that the service sees. */
  readonly secretFiles: Readonly<Record<string, string>>
  /** Key under `secrets` of the config → value, for the variables that hold a secret. */
  readonly secrets: Readonly<Record<string, Secret>>
  /** Declared variables that are different this time, as in a clone. */
  readonly environment: Readonly<Record<string, string>>
}

/** `data` and `volatile` volumes are told apart by the name of the variable, so an application cannot mistake one for the other. */
const VOLUME_PREFIX = { data: 'DATA_DIR_', volatile: 'VOLATILE_DIR_' } as const

const DATABASE_NAMES = ['DATABASE_URL', 'PGHOST', 'PGPORT', 'PGUSER', 'PGPASSWORD', 'PGDATABASE'] as const

/** `guest-book` → `GUEST_BOOK`. */
export function variableName(name: string): string {
  return name.toUpperCase().replaceAll(/[^A-Z0-9]/g, '_')
}

/**
 * The variables that caretaker sets for services of this application, each with what it holds.
 * A compose file must not declare them: the value would be wrong in a clone or in the other runtime.
 * A name that stands here twice belongs to two parts whose names are too much alike.
 */
export function wiringNames(
  app: Pick<Application, 'volumes' | 'secrets' | 'database'> & {
    readonly services: readonly { readonly name: string }[]
  },
): readonly (readonly [name: string, holds: string])[] {
  return [
    ['PATH', 'the search path of programs'],
    ['HOME', 'the home folder'],
    ['TZ', 'the time zone of the appliance'],
    ['PORT', 'the port to listen on'],
    ['PUBLIC_URL', 'the public address of the application'],
    ...(app.database === undefined
      ? []
      : DATABASE_NAMES.map((name) => [name, 'the address of the database'] as const)),
    ...app.services.map(
      ({ name }) => [`${variableName(name)}_URL`, `the address of the service ${name}`] as const,
    ),
    ...app.volumes.map(
      ({ name, kind }) =>
        [VOLUME_PREFIX[kind] + variableName(name), `the folder of the volume ${name}`] as const,
    ),
    ...app.secrets.map(
      ({ name }) => [`${variableName(name)}_FILE`, `the file of the secret ${name}`] as const,
    ),
  ]
}

/** Of the machine and not of the application: no text of a compose file is made of them. */
const NOT_IN_TEXTS = new Set(['PATH', 'HOME'])

/** {@link wiringNames} that texts under `environment` may name, of services that get them. */
export function wiringNamesInTexts(app: Parameters<typeof wiringNames>[0]): readonly string[] {
  return wiringNames(app)
    .map(([name]) => name)
    .filter((name) => !NOT_IN_TEXTS.has(name))
}

/** The variables that caretaker sets for this service. */
export function wiringNamesOf(app: Application, service: Service): readonly string[] {
  const mounted = app.volumes.filter(({ name }) => service.mounts.some(({ volume }) => volume === name))
  const read = app.secrets.filter(({ name }) => service.secrets.some(({ secret }) => secret === name))
  const reached = app.services.filter(({ ports }) => ports.length > 0)
  return wiringNames({ volumes: mounted, secrets: read, services: reached, database: app.database })
    .map(([name]) => name)
    .filter((name) => name !== 'PORT' || service.ports.length > 0)
}

/**
 * The whole environment of a service or of one of its commands: nothing else is inherited.
 * Declared variables first, then those that hold secrets, then the wiring, which nothing overrides. Texts that name
 * secrets or the wiring are put together here; one with a secret in it is one.
 */
export function serviceEnvironment(
  app: Application,
  service: Service,
  facts: WiringFacts,
): Readonly<Record<string, MaybeSecret>> {
  const declared = { ...service.environment, ...service.secretEnvironment, ...service.lateEnvironment }
  const overridden = Object.entries(facts.environment).filter(([name]) => Object.hasOwn(declared, name))
  const wiring = wiringOf(app, service, facts)
  const valueOf = (name: string): MaybeSecret =>
    needed(wiring[name] ?? facts.secrets[name], `value of ${name}`)
  return {
    ...service.environment,
    ...mapValues(service.secretEnvironment, (source) => needed(facts.secrets[source], `secret ${source}`)),
    ...Object.fromEntries(
      Object.entries(service.lateEnvironment).map(([name, text]) => [
        name,
        join(`${app.name}.${service.name}.${name}`, text, valueOf),
      ]),
    ),
    ...Object.fromEntries(overridden),
    ...wiring,
  }
}

function join(name: string, text: LateText, valueOf: (variable: string) => MaybeSecret): MaybeSecret {
  const parts = text.map((part) => (typeof part === 'string' ? part : valueOf(part.variable)))
  const plain = parts.map(reveal).join('')
  return parts.some((part) => part instanceof Secret) ? new Secret(name, plain) : plain
}

function wiringOf(
  app: Application,
  service: Service,
  facts: WiringFacts,
): Readonly<Record<string, MaybeSecret>> {
  const listenPort = facts.listenPorts[service.name]
  return {
    ...(app.database === undefined ? {} : databaseVariables(needed(facts.database, 'database address'))),
    ...Object.fromEntries(
      service.mounts.map(({ volume }) => {
        const kind = needed(app.volumes.find((entry) => entry.name === volume)?.kind, `volume ${volume}`)
        return [
          VOLUME_PREFIX[kind] + variableName(volume),
          needed(facts.volumePaths[volume], `path of volume ${volume}`),
        ]
      }),
    ),
    ...Object.fromEntries(
      service.secrets.map(({ secret }) => [
        `${variableName(secret)}_FILE`,
        needed(facts.secretFiles[secret], `file of secret ${secret}`),
      ]),
    ),
    ...Object.fromEntries(
      app.services
        // Its own too: a command of a service runs beside it, and in a container has another loopback address.
        .filter(({ name }) => facts.urls[name] !== undefined)
        .map(({ name }) => [`${variableName(name)}_URL`, facts.urls[name] as string]),
    ),
    ...(listenPort === undefined ? {} : { PORT: String(listenPort) }),
    PUBLIC_URL: facts.publicUrl,
    TZ: facts.timeZone,
    ...(facts.home === undefined ? {} : { HOME: facts.home }),
    ...(facts.path === undefined ? {} : { PATH: facts.path }),
  }
}

function databaseVariables(address: DatabaseAddress): Readonly<Record<string, MaybeSecret>> {
  return {
    DATABASE_URL: databaseUrl(address),
    PGHOST: address.host,
    PGPORT: String(address.port),
    PGUSER: address.user,
    PGPASSWORD: address.password,
    PGDATABASE: address.database,
  }
}

function mapValues<In, Out>(
  map: Readonly<Record<string, In>>,
  change: (value: In) => Out,
): Readonly<Record<string, Out>> {
  return Object.fromEntries(Object.entries(map).map(([key, value]) => [key, change(value)]))
}

function needed<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new Error(`the runtime did not say the ${what}`)
  return value
}
