import { hashOf } from '@caretaker/kernel/json.ts'
import { type MaybeSecret, Secret } from '@caretaker/kernel/secrets.ts'
import type { Owner } from '@caretaker/ports/files.ts'
import type { Command, CommandResult, ProcessExit, ProcessIdentity } from '@caretaker/ports/process.ts'
import type { CellStatus, Isolation } from './isolation.ts'

/** The name that stands for the appliance itself where an application's name is asked for. */
export const APPLIANCE = '-'

/** Where services are reached that run as processes of this machine. */
export const LOOPBACK = '127.0.0.1'

/**
 * Where the services of a release run. While an application is updated two releases of it run beside each other, one in
 * each slot. Postgres and the appliance's own services have no second one.
 */
export type Slot = 'a' | 'b'

/** What tells a service of an application from all others of it that may run: its name, and `~b` in the second slot. */
export function serviceKey(service: string, slot: Slot = 'a'): string {
  return slot === 'a' ? service : `${service}~b`
}

/** The service and the slot of a {@link serviceKey}. */
export function parseServiceKey(key: string): { readonly service: string; readonly slot: Slot } {
  return key.endsWith('~b') ? { service: key.slice(0, -2), slot: 'b' } : { service: key, slot: 'a' }
}

/** How a service shows that it can do its work. */
export type HealthProbe =
  | { readonly kind: 'http'; readonly port: number; readonly path: string }
  | { readonly kind: 'command'; readonly command: readonly string[] }

/** Times in ms. Names and meaning as in the compose specification. */
export interface HealthSpec {
  readonly probe: HealthProbe
  readonly intervalMs: number
  readonly timeoutMs: number
  /** Failures in a row, after the start period, that make it unhealthy. */
  readonly retries: number
  readonly startPeriodMs: number
}

export interface StopSpec {
  readonly signal: NodeJS.Signals
  readonly graceMs: number
  /** What ends it after the grace time: SIGKILL, but for Postgres SIGQUIT. */
  readonly lastSignal: 'SIGKILL' | 'SIGQUIT'
}

/** A folder of this machine that a container sees through a volume of the engine, so that its own user can write there. */
export interface ContainerVolume {
  /** Of the volume, within the application. */
  readonly name: string
  /** Absolute path on this machine; must be there. */
  readonly folder: string
  /** Absolute path in the container. */
  readonly target: string
  readonly readOnly: boolean
}

/** A file or folder of this machine at a place in the container, as it is. */
export interface ContainerBind {
  readonly from: string
  readonly to: string
  readonly readOnly: boolean
}

/** What a service needs beyond {@link ServiceSpec} when it runs in a container. Nothing is ever published. */
export interface ContainerSpec {
  /** By digest or id, never by a tag: it must be on this machine. */
  readonly image: string
  readonly volumes: readonly ContainerVolume[]
  readonly binds: readonly ContainerBind[]
  /** Services of both slots reach it by its name. */
  readonly reachedByAll?: true
  /** Keys of a service of the compose specification that the engine honours as they are: limits, user, tmpfs, … */
  readonly settings: Readonly<Record<string, unknown>>
}

/** Everything a runtime needs to run one service. */
export interface ServiceSpec {
  readonly app: string
  readonly service: string
  /** Absent: `a`. */
  readonly slot?: Slot
  readonly releaseId: string
  readonly command: readonly [string, ...string[]]
  readonly cwd: string
  readonly env: Readonly<Record<string, MaybeSecret>>
  /** Secrets that it reads from files when it starts. */
  readonly secrets?: readonly Secret[]
  readonly owner: Owner | undefined
  readonly logFile: string
  readonly stop: StopSpec
  readonly health: HealthSpec | undefined
  readonly restart: 'always' | 'on-failure' | 'no'
  /**
   * Stands for the command when the spec is compared with what runs: for a service whose command holds settings
   * that may wait until its next start.
   */
  readonly revision?: string
  /** For services that run in a container. */
  readonly container?: ContainerSpec
  /** For services of a clone: what keeps them from the outside and from what is not theirs. */
  readonly isolation?: Isolation
}

export interface ServiceStatus {
  /** What it runs as. */
  readonly runtime: Runtime['kind']
  readonly app: string
  readonly service: string
  readonly slot: Slot
  readonly releaseId: string
  /** `ended`: it was started and is not there any more, without having been stopped by us. */
  readonly state: 'running' | 'ended'
  readonly pid: number
  /** Of the process, where the runtime runs services as processes of this machine. */
  readonly identity?: ProcessIdentity
  /** IP address that this machine reaches it at; undefined is the loopback address. Changes with every start. */
  readonly address?: string
  /** It has ended because it used more memory than it may. */
  readonly outOfMemory?: true
  readonly startedAt: string
  /** {@link specHash} of the spec it was started with. */
  readonly specHash: string
  readonly logFile: string
}

/** The record of a service that could not be read. */
export interface DamagedRecord {
  readonly app: string
  readonly service: string
  readonly slot: Slot
  readonly file: string
  /** It lies there for a person to look at, and counts no more. */
  readonly setAside: boolean
}

/**
 * Runs services and one-off commands of releases. What it started outlives the daemon and is found again by the next
 * one. Times in the specs are in ms.
 */
export interface Runtime {
  readonly kind: 'process' | 'docker'
  /** Starts a service. One that runs with the same spec is left alone; one that runs with another is stopped first. */
  start(spec: ServiceSpec): Promise<void>
  /** Stops gracefully, then not; does not mind if it is gone. */
  stop(app: string, service: string, slot?: Slot): Promise<void>
  /**
   * Removes what is kept of an application none of whose services runs and that is going: what its volumes are called, its
   * cell, and ends what it has left behind. The folders that volumes stand for are not touched.
   */
  forget(app: string): Promise<void>
  /** Undefined when it was never started, or was stopped. */
  status(app: string, service: string, slot?: Slot): Promise<ServiceStatus | undefined>
  list(): Promise<readonly ServiceStatus[]>
  /** Resolves when a running service ends by itself; at once when it does not run. */
  waitForExit(app: string, service: string, signal: AbortSignal, slot?: Slot): Promise<ProcessExit>
  /** Runs a command of the release beside the service, with its environment and folders. */
  runOnce(
    spec: ServiceSpec,
    command: readonly string[],
    options: { readonly timeoutMs: number; readonly onLine?: NonNullable<Command['onLine']> },
    signal: AbortSignal,
  ): Promise<CommandResult>
  /** Records that cannot be read, and those that were set aside. A service without its record is not known. */
  damaged(): Promise<readonly DamagedRecord[]>
  /**
   * Sets a damaged record aside. True when the service goes on with a new one: this runtime has read the old one while it
   * was whole, and its process still runs. The caller holds the lock of operations.
   */
  mend(record: DamagedRecord): Promise<boolean>
  /**
   * Runs a command in the running service itself where it has a place of its own, else beside it: for health checks.
   * The end of the service is the end of the command.
   */
  runInside(
    spec: ServiceSpec,
    command: readonly string[],
    options: { readonly timeoutMs: number },
    signal: AbortSignal,
  ): Promise<CommandResult>
  /** What keeps the services of a clone in, and takes its mail; undefined while none of them runs. */
  cell(app: string): Promise<CellStatus | undefined>
  /** Brings the log files up to date where services do not write to them by themselves. */
  gatherLogs(): Promise<void>
  /**
   * Ends what carries this appliance's label or mark and belongs to nothing that is recorded: left by a start that was
   * interrupted between the start and its record, or by a service or command that has ended. Gives what was ended.
   */
  endLeftovers(): Promise<readonly { readonly app: string; readonly service: string; readonly pid: number }[]>
  /**
   * Ends what services and commands of an application have left behind, whatever it has done to its environment. What its
   * services have that run, Postgres too, goes on, and so does a command that somebody waits for.
   * @throws AppError COMMAND_TIMEOUT, which names a process that cannot be ended
   */
  endStrays(app: string): Promise<void>
}

/** Changes whenever a running service would have to be started anew to follow its spec. */
export function specHash(spec: ServiceSpec): string {
  const env = Object.fromEntries(
    Object.entries(spec.env).map(([name, value]) => [
      name,
      value instanceof Secret ? value.fingerprint() : value,
    ]),
  )
  const { cwd, owner, releaseId } = spec
  const command = spec.revision ?? spec.command
  const secrets = (spec.secrets ?? []).map((secret) => secret.fingerprint())
  return hashOf({
    command,
    cwd,
    env,
    owner: owner ?? null,
    releaseId,
    ...(secrets.length === 0 ? {} : { secrets }),
    ...(spec.container ? { container: spec.container } : {}),
    ...(spec.isolation ? { isolation: spec.isolation.name } : {}),
  }).slice(0, 16)
}
