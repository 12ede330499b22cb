import { AppError, messageOf } from '@caretaker/kernel/errors.ts'
import { SECOND_MS } from '@caretaker/kernel/time.ts'
import type { HttpResponse, Network } from '@caretaker/ports/network.ts'

/** How long the engine may take to answer: most is done in milliseconds, a busy disk takes longer. */
const ANSWER_LIMIT_MS = 60 * SECOND_MS

/** One container as the engine sees it. */
export interface Container {
  readonly id: string
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  /** `created`: never started. */
  readonly state: 'created' | 'running' | 'ended'
  /** Of its first process, on this machine; 0 when it does not run. */
  readonly pid: number
  readonly exitCode: number
  /** The kernel has ended a process of it, for it used more memory than it may. */
  readonly outOfMemory: boolean
  /** ISO 8601. */
  readonly startedAt: string
  readonly env: readonly string[]
  /** Network → its address there. */
  readonly addresses: Readonly<Record<string, string>>
  /** Names of the networks that it is in, also while it does not run. */
  readonly networks: readonly string[]
}

/** A network to be: a bridge of this machine. */
export interface NetworkWish {
  readonly name: string
  /** It leads to no other network. */
  readonly internal: boolean
  readonly labels: Readonly<Record<string, string>>
  /** Name of the interface on this machine. */
  readonly bridge: string
}

export interface MadeNetwork {
  readonly labels: Readonly<Record<string, string>>
  /** The address that this machine has in it. */
  readonly gateway: string | undefined
}

/** What an image brings along. */
export interface ImageFacts {
  /** `sha256:…` */
  readonly id: string
  /** `NAME@sha256:…`, of the registries it was pulled from. */
  readonly digests: readonly string[]
  readonly entrypoint: readonly string[]
  readonly command: readonly string[]
  readonly env: readonly string[]
  readonly workingDir: string
  readonly user: string
  /** As in a Dockerfile: `CMD` or `CMD-SHELL` and what to run. Durations in ms, 0 when not said. */
  readonly healthcheck:
    | {
        readonly test: readonly string[]
        readonly intervalMs: number
        readonly timeoutMs: number
        readonly startPeriodMs: number
        readonly retries: number
      }
    | undefined
}

/**
 * The container engine on its unix socket. What is not there gives undefined, or is no error where it shall go.
 * @throws AppError ENGINE_UNREACHABLE when nothing answers, ENGINE_FAILED for what the engine refuses
 */
export interface Engine {
  /** All containers, running or not, that have every one of these labels (`name` or `name=value`). */
  list(labels: readonly string[]): Promise<readonly Container[]>
  inspect(idOrName: string): Promise<Container | undefined>
  start(id: string): Promise<void>
  kill(id: string, signal: string): Promise<void>
  /** Removes a container with its anonymous volumes; kills it first when it runs. */
  remove(id: string): Promise<void>
  /** Whether there is something at a path in a container. */
  hasPath(id: string, path: string): Promise<boolean>
  image(reference: string): Promise<ImageFacts | undefined>
  /** Ids of the images that have every one of these labels. */
  listImages(labels: readonly string[]): Promise<readonly string[]>
  /** Removes an image with its tags unless a container is made of it; gives whether it is gone. */
  removeImage(id: string): Promise<boolean>
  /** Nothing when there is one of this name. */
  createNetwork(wish: NetworkWish): Promise<void>
  /** Undefined when there is no such network. */
  network(name: string): Promise<MadeNetwork | undefined>
  /** Connects a container, running or not, under this name; nothing when it is connected. */
  connect(network: string, id: string, alias: string): Promise<void>
  /** Connections over other networks go on. */
  disconnect(network: string, id: string): Promise<void>
  /** Removes a network unless something is connected to it. */
  removeNetwork(name: string): Promise<void>
  /** Names of the volumes that have every one of these labels. */
  listVolumes(labels: readonly string[]): Promise<readonly string[]>
  /** Removes a volume unless a container has it; the folder that a bind volume stands for stays. */
  removeVolume(name: string): Promise<void>
}

export function createEngine(network: Pick<Network, 'request'>, socketPath: string): Engine {
  async function ask(
    method: string,
    path: string,
    accepted: readonly number[],
    body?: object,
  ): Promise<HttpResponse> {
    let answer: HttpResponse
    try {
      // Without a version: what is asked here is the same in all of them, and no version is spoken by all engines in use.
      answer = await network.request({
        method,
        url: `http://docker${path}`,
        socketPath,
        timeoutMs: ANSWER_LIMIT_MS,
        ...(body ? { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) } : {}),
      })
    } catch (error) {
      throw unreachable(socketPath, error)
    }
    if (answer.status < 300 || accepted.includes(answer.status)) return answer
    throw new AppError('ENGINE_FAILED', {
      what: 'The container engine did not do what was asked',
      why: `it answers ${answer.status}: ${messageIn(answer.body)}`,
      next: 'Look at its log ("journalctl -u docker"), then repeat the command',
    })
  }

  async function inspect(idOrName: string): Promise<Container | undefined> {
    const answer = await ask('GET', `/containers/${idOrName}/json`, [404])
    return answer.status === 404 ? undefined : containerOf(JSON.parse(answer.body))
  }

  return {
    async list(labels) {
      const filters = encodeURIComponent(JSON.stringify({ label: labels }))
      const answer = await ask('GET', `/containers/json?all=1&filters=${filters}`, [])
      const found = JSON.parse(answer.body) as readonly { readonly Id: string }[]
      const containers = await Promise.all(found.map(({ Id }) => inspect(Id)))
      return containers.filter((container) => container !== undefined)
    },
    inspect,
    async start(id) {
      await ask('POST', `/containers/${id}/start`, [304])
    },
    async kill(id, signal) {
      await ask('POST', `/containers/${id}/kill?signal=${signal}`, [404, 409])
    },
    async remove(id) {
      await ask('DELETE', `/containers/${id}?force=1&v=1`, [404, 409])
    },
    async hasPath(id, path) {
      const answer = await ask(
        'HEAD',
        `/containers/${id}/archive?path=${encodeURIComponent(path)}`,
        [400, 404],
      )
      return answer.status === 200
    },
    async image(reference) {
      const answer = await ask('GET', `/images/${reference}/json`, [404])
      return answer.status === 404 ? undefined : imageOf(JSON.parse(answer.body))
    },
    async listImages(labels) {
      const filters = encodeURIComponent(JSON.stringify({ label: labels }))
      const { body } = await ask('GET', `/images/json?filters=${filters}`, [])
      return (JSON.parse(body) as readonly { readonly Id: string }[]).map(({ Id }) => Id)
    },
    async removeImage(id) {
      return (await ask('DELETE', `/images/${id}`, [404, 409])).status !== 409
    },
    async createNetwork({ name, internal, labels, bridge }) {
      await ask('POST', '/networks/create', [409], {
        Name: name,
        CheckDuplicate: true,
        Driver: 'bridge',
        Internal: internal,
        Labels: labels,
        Options: { 'com.docker.network.bridge.name': bridge },
      })
    },
    async network(name) {
      const answer = await ask('GET', `/networks/${name}`, [404])
      if (answer.status === 404) return undefined
      const { IPAM, Labels } = JSON.parse(answer.body) as RawNetwork
      return {
        labels: Labels ?? {},
        gateway: IPAM.Config?.find(({ Gateway }) => Gateway !== undefined)?.Gateway,
      }
    },
    async connect(name, id, alias) {
      // 403: it is there; 404: the container has gone meanwhile, or the network, which its next user says.
      await ask('POST', `/networks/${name}/connect`, [403, 404], {
        Container: id,
        EndpointConfig: { Aliases: [alias] },
      })
    },
    async disconnect(name, id) {
      await ask('POST', `/networks/${name}/disconnect`, [403, 404], { Container: id })
    },
    async removeNetwork(name) {
      await ask('DELETE', `/networks/${name}`, [403, 404, 409])
    },
    async listVolumes(labels) {
      const filters = encodeURIComponent(JSON.stringify({ label: labels }))
      const { body } = await ask('GET', `/volumes?filters=${filters}`, [])
      const { Volumes } = JSON.parse(body) as {
        readonly Volumes: readonly { readonly Name: string }[] | null
      }
      return (Volumes ?? []).map(({ Name }) => Name)
    },
    async removeVolume(name) {
      // 500: after a live restore an engine takes a volume for mounted that no container has; only a name stays.
      await ask('DELETE', `/volumes/${name}`, [404, 409, 500])
    },
  }
}

function unreachable(socketPath: string, error: unknown): AppError {
  return new AppError('ENGINE_UNREACHABLE', {
    what: 'The container engine cannot be reached',
    why: `nothing answers at ${socketPath}: ${messageOf(error)}`,
    next: 'Start it ("systemctl start docker"); what was running is started again by itself then',
    cause: error,
  })
}

function messageIn(body: string): string {
  try {
    return (JSON.parse(body) as { readonly message?: string }).message ?? body
  } catch {
    return body.trim()
  }
}

interface RawContainer {
  readonly Id: string
  readonly Name: string
  readonly Config: {
    readonly Labels: Readonly<Record<string, string>> | null
    readonly Env: readonly string[] | null
  }
  readonly State: {
    readonly Status: string
    readonly Running: boolean
    readonly Pid: number
    readonly ExitCode: number
    readonly OOMKilled: boolean
    readonly StartedAt: string
  }
  readonly NetworkSettings: {
    readonly Networks: Readonly<Record<string, { readonly IPAddress: string }>> | null
  }
}

interface RawNetwork {
  readonly Labels: Readonly<Record<string, string>> | null
  readonly IPAM: { readonly Config: readonly { readonly Gateway?: string }[] | null }
}

function containerOf({ Id, Name, Config, State, NetworkSettings }: RawContainer): Container {
  const networks = Object.entries(NetworkSettings.Networks ?? {})
  return {
    id: Id,
    name: Name.replace(/^\//, ''),
    labels: Config.Labels ?? {},
    state: State.Running ? 'running' : State.Status === 'created' ? 'created' : 'ended',
    pid: State.Pid,
    exitCode: State.ExitCode,
    outOfMemory: State.OOMKilled,
    startedAt: State.StartedAt,
    env: Config.Env ?? [],
    networks: networks.map(([name]) => name),
    addresses: Object.fromEntries(
      networks.map(([name, { IPAddress }]) => [name, IPAddress] as const).filter(([, ip]) => ip !== ''),
    ),
  }
}

interface RawImage {
  readonly Id: string
  readonly RepoDigests: readonly string[] | null
  readonly Config: {
    readonly Entrypoint?: readonly string[] | null
    readonly Cmd?: readonly string[] | null
    readonly Env?: readonly string[] | null
    readonly WorkingDir?: string
    readonly User?: string
    readonly Healthcheck?: {
      readonly Test?: readonly string[]
      readonly Interval?: number
      readonly Timeout?: number
      readonly StartPeriod?: number
      readonly Retries?: number
    } | null
  } | null
}

const NANOSECONDS_PER_MS = 1_000_000

function imageOf({ Id, RepoDigests, Config }: RawImage): ImageFacts {
  const check = Config?.Healthcheck
  const ms = (nanoseconds = 0) => Math.round(nanoseconds / NANOSECONDS_PER_MS)
  const test = check?.Test ?? []
  return {
    id: Id,
    digests: RepoDigests ?? [],
    entrypoint: Config?.Entrypoint ?? [],
    command: Config?.Cmd ?? [],
    env: Config?.Env ?? [],
    workingDir: Config?.WorkingDir || '/',
    user: Config?.User ?? '',
    healthcheck:
      check && test.length > 1
        ? {
            test,
            intervalMs: ms(check.Interval),
            timeoutMs: ms(check.Timeout),
            startPeriodMs: ms(check.StartPeriod),
            retries: check.Retries ?? 0,
          }
        : undefined,
  }
}
