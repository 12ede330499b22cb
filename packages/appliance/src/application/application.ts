import type { LateText } from './interpolate.ts'

/**
 * One application as its compose file and `x-caretaker` section describe it, with the values of the config put in.
 * Plain JSON, frozen, holds no secret value. Made by `parseApplication` only.
 */
export interface Application {
  /** The appliance's name for it: the key under `applications` of the config. */
  readonly name: string
  /** Version label of this release, as `1.4.0`. */
  readonly version: string
  /** In start order: every service stands after those it depends on. */
  readonly services: readonly Service[]
  readonly volumes: readonly Volume[]
  readonly secrets: readonly AppSecret[]
  readonly web: Web
  /** Undefined when it needs no database. */
  readonly database: DatabaseNeeds | undefined
  readonly migrate: Migrate | undefined
  /** Prepares a database restored from an old dump for {@link migrate}. */
  readonly preMigrate: AppCommand | undefined
  /** Reads only; also run on production. */
  readonly smoke: AppCommand | undefined
  /** May write; run on clones only. */
  readonly acceptance: AppCommand | undefined
  /** Shortcuts for people; each runs in the web service. */
  readonly commands: Readonly<Record<string, AppCommand>>
  /** Fills volatile volumes again after a restore, rollback or clone. */
  readonly rebuild: AppCommand | undefined
  readonly jobs: readonly AppJob[]
  /** Creates the first user; repeating it does no harm. */
  readonly firstUser: AppCommand | undefined
  readonly clone: CloneSettings
  readonly metrics: readonly MetricsEndpoint[]
  /** What a person should know although it is no error, one sentence each. */
  readonly notices: readonly string[]
}

export interface Service {
  readonly name: string
  readonly build: Build | undefined
  readonly image: string | undefined
  /** A text is the shell form. */
  readonly command: readonly string[] | string | undefined
  readonly entrypoint: readonly string[] | string | undefined
  /** Declared variables with their values, those of the config put in. Wiring is not among them. */
  readonly environment: Readonly<Record<string, string>>
  /** Variables that hold a secret: variable name → key under `secrets` of the config. */
  readonly secretEnvironment: Readonly<Record<string, string>>
  /** Variables whose value holds secrets of the config or what caretaker sets. */
  readonly lateEnvironment: Readonly<Record<string, LateText>>
  readonly dependsOn: readonly Dependency[]
  readonly healthcheck: Healthcheck | undefined
  readonly mounts: readonly Mount[]
  /** Secrets it gets as files. */
  readonly secrets: readonly SecretMount[]
  /** Ports it listens on, by `expose`, `x-caretaker.web` and `x-caretaker.metrics`. */
  readonly ports: readonly number[]
  readonly stopGraceMs: number
  readonly stopSignal: NodeJS.Signals
  readonly restart: RestartPolicy
  readonly workingDir: string | undefined
  readonly user: string | undefined
  readonly init: boolean
  /** Keys of the compose file that only a container can honour, as the compose engine takes them. */
  readonly container: Readonly<Record<string, unknown>>
}

export interface Build {
  /** Folder inside the source, normalised, with `/`; `.` is the folder of the compose file. */
  readonly context: string
  /** Relative to the context. */
  readonly dockerfile: string | undefined
  readonly args: Readonly<Record<string, string>>
}

export type RestartPolicy = 'no' | 'always' | 'on-failure' | 'unless-stopped'

export interface Dependency {
  readonly service: string
  readonly condition: 'service_started' | 'service_healthy' | 'service_completed_successfully'
}

/** Durations in ms. */
export interface Healthcheck {
  /** An array is called as it is; a text goes to the shell of the image. */
  readonly test: readonly string[] | string
  readonly intervalMs: number
  readonly timeoutMs: number
  readonly retries: number
  readonly startPeriodMs: number
  readonly startIntervalMs: number
}

export interface Volume {
  readonly name: string
  /** `data` is in every snapshot and backup; `volatile` may be lost. */
  readonly kind: 'data' | 'volatile'
}

export interface Mount {
  readonly volume: string
  /** Path in a container; a process reads DATA_DIR_… or VOLATILE_DIR_… instead. */
  readonly target: string
  readonly readOnly: boolean
}

export interface AppSecret {
  /** Its name in the compose file; a service finds the path of its file in NAME_FILE. */
  readonly name: string
  /** Key under `secrets` of the application in the config. */
  readonly source: string
}

export interface SecretMount {
  readonly secret: string
  /** File name, or absolute path in a container. */
  readonly target: string
}

export interface Web {
  readonly service: string
  readonly port: number
  /** Path that answers 200 when the application is healthy. */
  readonly health: string
}

export interface DatabaseNeeds {
  /** Postgres extensions to create, by name. */
  readonly extensions: readonly string[]
}

/** A program of the application, run in the folder and with the environment of one of its services. */
export interface AppCommand {
  readonly service: string
  readonly command: readonly string[]
  readonly timeoutMs: number
}

export interface Migrate {
  readonly service: string
  /** Exit 0: nothing to do. Exit 10: migrations are pending. Anything else: it could not tell. */
  readonly check: readonly string[]
  readonly run: readonly string[]
  /** Limit for each of the two. */
  readonly timeoutMs: number
}

export interface AppJob extends AppCommand {
  readonly name: string
  /** Cron pattern, in the time zone of the appliance. */
  readonly schedule: string
  /** What happens when it was due while the appliance was off. */
  readonly missed: 'once' | 'skip'
}

export interface CloneSettings {
  /** Variables that are different in a clone. */
  readonly environment: Readonly<Record<string, string>>
  /** SQL file in the folder of the compose file, run before a clone starts. */
  readonly scrub: string | undefined
  readonly mail: 'sink'
}

export interface MetricsEndpoint {
  readonly service: string
  readonly port: number
  readonly path: string
}

/** The service with this name; the parser has checked every name that stands in an {@link Application}. */
export function serviceNamed(app: Application, name: string): Service {
  const service = app.services.find((entry) => entry.name === name)
  if (!service) throw new Error(`application ${app.name} has no service ${name}`)
  return service
}
