import type { KeyPath } from '../config/problem.ts'

/** Why a key of the compose specification cannot be honoured, and what to do instead. */
export interface KeyRefusal {
  readonly why: string
  readonly next: string
}

/** The objects of a compose file whose keys the specification names. */
export type ComposeObject = keyof typeof REFUSED_KEYS

const because = (why: string, next: string): KeyRefusal => ({ why, next })

const LIMITS = because(
  'this limit depends on the machine or on one engine',
  'Remove it; mem_limit, cpus, pids_limit and shm_size can be used with the docker runtime',
)
const PRIVILEGES = because(
  'a service gets no rights of the machine and cannot choose its isolation',
  'Remove it; caretaker runs every service with the least rights',
)
const ONE_NETWORK = because(
  'the services of one application reach each other by <SERVICE>_URL, and nothing else reaches them',
  'Remove it, and read the address of another service from <SERVICE>_URL',
)
const RESOLVER = because('a service uses the name resolution of the appliance', 'Remove it')
const METADATA = because('caretaker marks what it starts with labels of its own', 'Remove it')
const ONE_OF_EACH = because(
  'one of each service runs, and caretaker decides when it is replaced',
  'Remove it',
)
const NO_TERMINAL = because('a service runs without a terminal', 'Remove it; "caretaker app exec" opens one')
const ONE_FILE = because('an application is one compose file', 'Write what it brings into this compose file')
const CONFIGS = because(
  'configuration files are not built in this version',
  'Put the file into the build context, or use a variable or a secret',
)
const MODELS = because('language models are no part of an application here', 'Remove it')
const BUILD_ENGINE = because('it depends on one build engine', 'Write it into the Dockerfile or remove it')
const VOLUME_PLACE = because(
  'the place of every volume is inside the snapshot unit of its application',
  'Remove it; "data" and "volatile" under x-caretaker say what kind of volume it is',
)
const SECRET_ACCESS = because('a secret is readable by the user of its service and nobody else', 'Remove it')
const SECRET_VALUE = because(
  'the value of a secret stands in the config of the appliance, never in the source',
  'Write "external: true" here and the value under "secrets" of the application in the config',
)

function all(refusal: KeyRefusal, ...groups: readonly string[]): Readonly<Record<string, KeyRefusal>> {
  return Object.fromEntries(groups.flatMap((group) => group.split(' ')).map((key) => [key, refusal]))
}

/**
 * Every key of the compose specification (schema of 2026) that is not honoured, by the object it stands in.
 * What is honoured stands in the schemas; what stands in neither is unknown.
 */
const REFUSED_KEYS = {
  top: {
    ...all(ONE_FILE, 'include'),
    ...all(MODELS, 'models'),
    ...all(ONE_NETWORK, 'networks'),
    ...all(CONFIGS, 'configs'),
  },
  service: {
    ...all(
      LIMITS,
      'blkio_config cpu_count cpu_percent cpu_quota cpu_period cpu_rt_period cpu_rt_runtime',
      'cpuset mem_swappiness oom_kill_disable oom_score_adj storage_opt gpus',
    ),
    ...all(
      PRIVILEGES,
      'cgroup cgroup_parent credential_spec device_cgroup_rules devices ipc isolation pid',
      'privileged runtime security_opt sysctls userns_mode uts use_api_socket',
    ),
    ...all(ONE_NETWORK, 'networks network_mode links external_links hostname domainname mac_address'),
    ...all(RESOLVER, 'dns', 'dns_opt', 'dns_search', 'extra_hosts'),
    ...all(METADATA, 'annotations', 'container_name', 'labels', 'label_file'),
    ...all(ONE_OF_EACH, 'deploy', 'scale', 'profiles', 'develop', 'attach'),
    ...all(NO_TERMINAL, 'stdin_open', 'tty'),
    ...all(ONE_FILE, 'extends'),
    ...all(CONFIGS, 'configs'),
    ...all(MODELS, 'models'),
    ports: because(
      'nothing of an application is published; the gateway passes requests on to the service named by x-caretaker.web',
      'Remove it; name the port under x-caretaker.web, or under "expose" for the other services',
    ),
    env_file: because(
      'variables stand in the compose file or in the config of the appliance',
      'Write them under "environment"',
    ),
    logging: because('caretaker keeps the log of every service itself, bounded in size', 'Remove it'),
    volumes_from: because(
      'every service names its volumes itself',
      'List the volumes under "volumes" of this service',
    ),
    post_start: because(
      'commands around start and stop are not built in this version',
      'Let the service do it when it starts, or use "migrate" of x-caretaker',
    ),
    pre_stop: because(
      'commands around start and stop are not built in this version',
      'Let the service do it when it gets its stop signal',
    ),
    provider: because('every service is run by caretaker itself', 'Use "build" or "image"'),
    platform: because('a service runs on the processor of the appliance', 'Remove it'),
    pull_policy: because(
      'a release is pinned when it is prepared, and what it needs is fetched then',
      'Remove it',
    ),
    pull_refresh_after: because(
      'a release is pinned when it is prepared, and what it needs is fetched then',
      'Remove it',
    ),
  },
  build: all(
    BUILD_ENGINE,
    'additional_contexts cache_from cache_to dockerfile_inline entitlements extra_hosts',
    'isolation labels network no_cache no_cache_filter platforms privileged provenance',
    'pull sbom secrets shm_size ssh tags target ulimits',
  ),
  healthcheck: {},
  dependency: {
    restart: because('a service is restarted for its own reasons only', 'Remove it'),
    required: because('every service of an application is started', 'Remove it'),
  },
  mount: {
    ...all(VOLUME_PLACE, 'volume', 'consistency'),
    ...all(
      because('only named volumes can be mounted', 'Use "type: volume"'),
      'bind',
      'tmpfs',
      'image',
      'cluster',
    ),
  },
  volume: all(VOLUME_PLACE, 'driver', 'driver_opts', 'external', 'labels', 'name'),
  secretMount: all(SECRET_ACCESS, 'uid', 'gid', 'mode'),
  secret: {
    ...all(SECRET_VALUE, 'file'),
    ...all(
      because('a secret lies in memory, in a file of its service', 'Remove it'),
      'driver',
      'driver_opts',
    ),
    ...all(
      because('a secret lies in memory, in a file of its service', 'Remove it'),
      'labels',
      'template_driver',
    ),
  },
} as const satisfies Record<string, Readonly<Record<string, KeyRefusal>>>

/** Path pattern → object; `*` is any one part. */
const OBJECTS: readonly (readonly [string, ComposeObject])[] = [
  ['', 'top'],
  ['services.*', 'service'],
  ['services.*.build', 'build'],
  ['services.*.healthcheck', 'healthcheck'],
  ['services.*.depends_on.*', 'dependency'],
  ['services.*.volumes.*', 'mount'],
  ['services.*.secrets.*', 'secretMount'],
  ['volumes.*', 'volume'],
  ['secrets.*', 'secret'],
]

/** What the specification calls the object at a path; undefined for maps with free keys and for x-caretaker. */
export function composeObjectAt(path: KeyPath): ComposeObject | undefined {
  return OBJECTS.find(([pattern]) => {
    const parts = pattern === '' ? [] : pattern.split('.')
    return parts.length === path.length && parts.every((part, index) => part === '*' || part === path[index])
  })?.[1]
}

/** The refusal of a key that the specification knows and caretaker does not honour. */
export function refusalOf(object: ComposeObject, key: string): KeyRefusal | undefined {
  const refusals: Readonly<Record<string, KeyRefusal>> = REFUSED_KEYS[object]
  return Object.hasOwn(refusals, key) ? refusals[key] : undefined
}

/** Keys of the specification that are refused in this object. */
export function refusedKeys(object: ComposeObject): readonly string[] {
  return Object.keys(REFUSED_KEYS[object])
}
