import { sha256 } from '@caretaker/kernel/json.ts'
import { Secret } from '@caretaker/kernel/secrets.ts'
import { KEPT_LOGS, MAX_LOG_BYTES } from '../logs.ts'
import { type ContainerSpec, type ServiceSpec, type Slot, serviceKey, specHash } from '../runtime.ts'
import { enterWords, INSIDE } from './enter.ts'

/** Labels of everything that the engine has of us. Their names are stable: containers outlive the version that made them. */
export const LABEL = {
  appliance: 'caretaker.appliance',
  app: 'caretaker.app',
  service: 'caretaker.service',
  release: 'caretaker.release',
  spec: 'caretaker.spec',
  log: 'caretaker.log',
  /** Signal, grace time in ms, last signal. */
  stop: 'caretaker.stop',
  /** The process that made it. */
  caller: 'caretaker.caller',
  /** Only one-off commands have it. */
  once: 'caretaker.once',
  /** Only what services of both slots reach has it. */
  reachedByAll: 'caretaker.reached-by-all',
} as const

export type ContainedSpec = ServiceSpec & { readonly container: ContainerSpec }

/** What the container of a service, or of one of its commands, is called and made of. */
export interface ContainerWish {
  readonly applianceId: string
  readonly spec: ContainedSpec
  /** Runs instead of the command of the spec. */
  readonly command?: readonly string[]
  /** For a one-off command: an id of its own. */
  readonly once?: { readonly id: string }
  /** Who makes it, as `callerOf` names a process. */
  readonly caller: string
  /** The static busybox of this machine. */
  readonly busybox: string
  /** File on this machine with the variables that hold secrets; undefined when there are none. */
  readonly secretFile: string | undefined
  /** Of a clone: where it hands in its mail. */
  readonly mailUrl?: string | undefined
  /** The slots in whose networks it is, which are there. */
  readonly reaches: readonly Slot[]
}

/** Name of the compose project, network included, of an application; the second slot has one of its own. */
export function projectOf(applianceId: string, app: string, slot: Slot = 'a'): string {
  const project = `caretaker-${applianceId.slice(0, 8)}-${app}`
  // No name of an application has an underscore.
  return slot === 'a' ? project : `${project}_b`
}

/** Name of the container of a service. */
export function containerName(applianceId: string, app: string, service: string, slot?: Slot): string {
  return `${projectOf(applianceId, app, slot)}-${service}`
}

/**
 * The compose file of one container: computed, whole, without a secret in it. The engine never starts it by itself, since
 * what may run is decided by caretaker: nothing on a data volume that is missing, nothing in the middle of an update.
 */
export function composeFile(wish: ContainerWish): { readonly service: string; readonly file: object } {
  const { applianceId, spec, once, reaches } = wish
  const { app, container } = spec
  const project = projectOf(applianceId, app, spec.slot)
  const aliases = once ? {} : { aliases: [spec.service] }
  const service = once ? `run-${once.id}` : spec.service
  const labels = { [LABEL.appliance]: applianceId, [LABEL.app]: app }
  const volumes = container.volumes.map((volume) => ({ ...volume, engineName: volumeName(project, volume) }))
  const file = {
    name: project,
    services: {
      [service]: {
        ...container.settings,
        image: container.image,
        container_name: containerName(applianceId, app, service, spec.slot),
        labels: {
          ...labels,
          [LABEL.service]: serviceKey(spec.service, spec.slot),
          [LABEL.release]: spec.releaseId,
          [LABEL.spec]: specHash(spec),
          [LABEL.log]: spec.logFile,
          [LABEL.stop]: [spec.stop.signal, spec.stop.graceMs, spec.stop.lastSignal].join(' '),
          [LABEL.caller]: wish.caller,
          ...(once ? { [LABEL.once]: 'true' } : {}),
          ...(container.reachedByAll && !once ? { [LABEL.reachedByAll]: 'true' } : {}),
        },
        entrypoint: [...enterWords(wish.secretFile !== undefined), ...(wish.command ?? spec.command)],
        command: [],
        working_dir: spec.cwd,
        environment: {
          ...plainVariables(spec),
          ...(wish.mailUrl === undefined ? {} : { SMTP_URL: wish.mailUrl }),
        },
        volumes: [
          ...volumes.map(({ engineName, target, readOnly }) => ({
            type: 'volume',
            source: engineName,
            target,
            read_only: readOnly,
          })),
          ...[...container.binds, ...ownBinds(wish)].map(({ from, to, readOnly }) => ({
            type: 'bind',
            source: from,
            target: to,
            read_only: readOnly,
            bind: { create_host_path: false },
          })),
        ],
        networks: Object.fromEntries(reaches.map((slot) => [`slot-${slot}`, aliases])),
        ...(isKeptIn(spec) ? { dns: [NO_NAME_SERVER], cpu_shares: CLONE_CPU_SHARES } : {}),
        restart: 'no',
        stop_signal: spec.stop.signal,
        healthcheck: { disable: true },
        security_opt: ['no-new-privileges:true'],
        // What a one-off command says goes to who waits for it.
        logging: once
          ? { driver: 'none' }
          : {
              driver: 'json-file',
              options: { 'max-size': String(MAX_LOG_BYTES), 'max-file': String(KEPT_LOGS) },
            },
      },
    },
    networks: Object.fromEntries(
      reaches.map((slot) => [`slot-${slot}`, { name: projectOf(applianceId, app, slot), external: true }]),
    ),
    volumes: Object.fromEntries(
      volumes.map(({ engineName, folder }) => [
        engineName,
        { name: engineName, labels, driver_opts: { type: 'none', o: 'bind', device: folder } },
      ]),
    ),
  }
  return { service, file: literally(file) as object }
}

/** Whether a volume of the engine is one of those of a compose project. */
export const isVolumeOf = (project: string, engineName: string) => engineName.startsWith(`${project}-`)

/** Production goes first: others have 1024, and shares count only while the processor is wanted by more than one. */
const CLONE_CPU_SHARES = 128

/** Whether its network leads nowhere: see {@link ServiceSpec.isolation}. */
export function isKeptIn({ isolation }: Pick<ServiceSpec, 'isolation'>): boolean {
  return isolation !== undefined && isolation.open !== true
}

/**
 * The container itself, where nobody answers for names, which is told at once. The engine answers for those of its networks;
 * for all others it would ask on behalf of a container that reaches nobody (CVE-2024-29018).
 */
const NO_NAME_SERVER = '127.0.0.1'

/** A volume of the engine cannot be led elsewhere: one for another folder has another name. */
function volumeName(project: string, { name, folder }: { readonly name: string; readonly folder: string }) {
  return `${project}-${name}-${sha256(folder).slice(0, 8)}`
}

function ownBinds({ busybox, secretFile }: ContainerWish) {
  return [
    { from: busybox, to: INSIDE.busybox, readOnly: true },
    ...(secretFile === undefined ? [] : [{ from: secretFile, to: INSIDE.secrets, readOnly: true }]),
  ]
}

function plainVariables({ env }: ServiceSpec): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(env).filter((entry): entry is [string, string] => !(entry[1] instanceof Secret)),
  )
}

/** Compose puts variables in for `$NAME`; a `$` of ours is one. */
function literally(value: unknown): unknown {
  if (typeof value === 'string') return value.replaceAll('$', '$$$$')
  if (Array.isArray(value)) return value.map(literally)
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, literally(entry)]))
}
