import { join } from 'node:path'
import { AppError } from '@caretaker/kernel/errors.ts'
import { readableId } from '@caretaker/kernel/ids.ts'
import { formatDuration, MINUTE_MS, SECOND_MS } from '@caretaker/kernel/time.ts'
import { lastLines } from '@caretaker/ports/command.ts'
import { waitUntil } from '@caretaker/ports/deadline.ts'
import type { Ports } from '@caretaker/ports/ports.ts'
import type { CommandResult } from '@caretaker/ports/process.ts'
import { callerOf, isCallerAlive, startOf } from '../caller.ts'
import {
  parseServiceKey,
  type Runtime,
  type ServiceSpec,
  type ServiceStatus,
  type Slot,
  type StopSpec,
  serviceKey,
  specHash,
} from '../runtime.ts'
import { type CloneMailOptions, createCloneMail } from './clone-mail.ts'
import {
  type ContainedSpec,
  type ContainerWish,
  composeFile,
  containerName,
  isVolumeOf,
  LABEL,
  projectOf,
} from './compose-file.ts'
import { forgetContainerLogs, gatherContainerLogs } from './container-logs.ts'
import { composeCommand, type DockerOptions, dockerCommand, runDocker } from './docker-command.ts'
import { type Container, createEngine } from './engine.ts'
import { findBusybox, insideWords, secretVariables } from './enter.ts'
import { assertProgram } from './find-program.ts'
import { createNetworks } from './networks.ts'

export interface DockerRuntimeOptions extends DockerOptions {
  /** Id of the appliance: the label of everything that the engine has of us. */
  readonly applianceId: string
  /** Folder for what is remembered of logs. */
  readonly folder: string
  /** Folder, in memory where there is such a place, for the variables that hold secrets. Nobody else may pass through. */
  readonly secretFolder: string
  /** Of this process. */
  readonly pid: number
  /** What takes the mail of clones; without it nobody does. */
  readonly mail?: CloneMailOptions
}

type RuntimePorts = Pick<Ports, 'files' | 'processes' | 'clock' | 'network' | 'machine' | 'locks'>

/** How long the engine may take to make a container, and to end one after the signal that cannot be caught. */
const CREATE_LIMIT_MS = 2 * MINUTE_MS
const LAST_SIGNAL_LIMIT_MS = 30 * SECOND_MS
const LONGEST_POLL_MS = 500

/** How the compose engine marks what it makes. */
const COMPOSE_PROJECT = 'com.docker.compose.project'

/**
 * Services as containers of an engine on this machine, made by the compose engine from a computed file. What runs is
 * known from the labels of the containers alone.
 */
export function createDockerRuntime(ports: RuntimePorts, options: DockerRuntimeOptions): Runtime {
  const { files, processes, clock, machine } = ports
  const engine = createEngine(ports.network, options.socket)
  const own = `${LABEL.appliance}=${options.applianceId}`
  const isRoot = machine.user().uid === 0
  const networks = createNetworks(engine, processes, { applianceId: options.applianceId, isRoot })
  const mail = createCloneMail(engine, processes, isRoot, options.mail)

  const isService = ({ labels, state }: Container) => labels[LABEL.once] === undefined && state !== 'created'

  async function containersOf(app: string, service: string, slot?: Slot): Promise<readonly Container[]> {
    const key = serviceKey(service, slot)
    const found = await engine.list([own, `${LABEL.app}=${app}`, `${LABEL.service}=${key}`])
    return found.filter(({ labels }) => labels[LABEL.once] === undefined)
  }

  async function find(app: string, service: string, slot?: Slot): Promise<Container | undefined> {
    return (await containersOf(app, service, slot)).find(isService)
  }

  async function statusOf({
    labels,
    state,
    pid,
    startedAt,
    addresses,
    outOfMemory,
  }: Container): Promise<ServiceStatus> {
    const app = labels[LABEL.app] ?? ''
    const named = parseServiceKey(labels[LABEL.service] ?? '')
    const address = addresses[projectOf(options.applianceId, app, named.slot)]
    const start = state === 'running' ? Number(await startOf(files, `${pid}`)) : Number.NaN
    return {
      runtime: 'docker',
      app,
      ...named,
      releaseId: labels[LABEL.release] ?? '',
      state: state === 'running' ? 'running' : 'ended',
      pid,
      ...(Number.isNaN(start)
        ? {}
        : { identity: { pid, startTicks: start, bootId: await machine.bootId() } }),
      ...(address === undefined ? {} : { address }),
      ...(outOfMemory && state === 'ended' ? { outOfMemory: true as const } : {}),
      startedAt,
      specHash: labels[LABEL.spec] ?? '',
      logFile: labels[LABEL.log] ?? '',
    }
  }

  async function endsWithin(id: string, limitMs: number): Promise<boolean> {
    const ended = await waitUntil(clock, { timeoutMs: limitMs }, async () =>
      (await engine.inspect(id))?.state === 'running' ? undefined : true,
    )
    return ended === true
  }

  async function end({ id, state, name }: Container, stop: StopSpec): Promise<void> {
    if (state !== 'running') return
    await engine.kill(id, stop.signal)
    if (await endsWithin(id, stop.graceMs)) return
    await engine.kill(id, stop.lastSignal)
    if (await endsWithin(id, LAST_SIGNAL_LIMIT_MS)) return
    throw new AppError('COMMAND_TIMEOUT', {
      what: `The container ${name} did not end`,
      why: `it is still there ${formatDuration(LAST_SIGNAL_LIMIT_MS)} after ${stop.lastSignal}`,
      next: `Look at what it waits for ("docker top ${name}", "dmesg"), then repeat the command`,
    })
  }

  /** Ends and removes a container; what it wrote last stays in the log of its service. Its data is in folders of ours. */
  async function take(container: Container, stop = stopOf(container)): Promise<void> {
    await end(container, stop)
    if (isService(container)) await gatherContainerLogs(ports, options, options.folder, [container])
    await engine.remove(container.id)
  }

  async function stop(app: string, service: string, slot?: Slot): Promise<void> {
    for (const container of await containersOf(app, service, slot)) await take(container)
    await files.remove(secretFile(app, serviceKey(service, slot)))
    await tidyVolumes(app, slot)
    await tidyPlace(app)
  }

  /** What is around the containers of an application goes as far as there are none. */
  async function tidyPlace(app: string): Promise<void> {
    await networks.tidy(app)
    if ((await engine.list([own, `${LABEL.app}=${app}`])).length === 0) await mail.end(app)
  }

  /** Each slot has volumes of its own names for the same folders: those that no container has any more go. */
  async function tidyVolumes(app: string, slot?: Slot): Promise<void> {
    const project = projectOf(options.applianceId, app, slot)
    for (const name of await engine.listVolumes([own, `${LABEL.app}=${app}`]))
      if (isVolumeOf(project, name)) await engine.removeVolume(name)
  }

  const secretFile = (app: string, name: string) => join(options.secretFolder, `${app}.${name}`)

  async function writeSecrets(spec: ServiceSpec, path: string): Promise<string | undefined> {
    const variables = secretVariables(spec)
    if (variables === undefined) return undefined
    await files.makeFolder(options.secretFolder, 0o700)
    await files.remove(path)
    // The folder keeps others of this machine out; in the container it is read by whatever user the image has.
    await files.write(path, variables, 0o444)
    await files.setMode(path, 0o444)
    return path
  }

  /**
   * Names hold a part of the id only, and an engine can serve several appliances: the compose engine would take what another
   * one has under the same name for its own, and put ours in its place.
   */
  async function assertOwnProject(project: string): Promise<void> {
    const found = await engine.list([`${COMPOSE_PROJECT}=${project}`])
    const other = found.find(({ labels }) => labels[LABEL.appliance] !== options.applianceId)
    if (!other) return
    const owner = other.labels[LABEL.appliance]
    throw new AppError('ENGINE_FAILED', {
      what: `No container was made for ${project}`,
      why: `${other.name} has the same name in this engine and belongs to ${owner === undefined ? 'somebody else' : `the appliance ${owner}`}`,
      next: 'Let each of the two have an engine of its own ("docker.socket" of the config), or remove that one if nobody needs it',
    })
  }

  /** Makes the container and does not start it. */
  async function create(wish: Omit<ContainerWish, 'reaches' | 'mailUrl'>): Promise<Container> {
    const { spec } = wish
    if (!(await engine.image(spec.container.image))) throw imageMissing(spec)
    const project = projectOf(options.applianceId, spec.app, spec.slot)
    await assertOwnProject(project)
    const reaches = await networks.slotsFor(spec)
    for (const slot of reaches) await networks.make(spec, slot)
    const mailUrl = await mail.urlFor(spec, project)
    const { service, file } = composeFile({ ...wish, reaches, mailUrl })
    const args = ['create', '--no-build', '--pull', 'never', service]
    const result = await runDocker(processes, composeCommand(options, project, file, args, CREATE_LIMIT_MS))
    const container = await engine.inspect(containerName(options.applianceId, spec.app, service, spec.slot))
    if (result.exitCode !== 0 || !container) {
      if (container) await engine.remove(container.id)
      throw new AppError('ENGINE_FAILED', {
        what: `The container of ${spec.service} of ${spec.app} was not made`,
        why: lastLines(`${result.stdout}\n${result.stderr}`, 4) || 'the compose engine did not say why',
        next: 'Correct what it complains about, then "caretaker up"',
      })
    }
    try {
      await assertProgram(engine, container, spec, wish.command ?? spec.command)
      return container
    } catch (error) {
      await engine.remove(container.id)
      throw error
    }
  }

  return {
    kind: 'docker',

    // Containers of clones are kept in by their network; who takes their mail is a process of this machine.
    cell: async () => undefined,

    async start(spec) {
      const contained = containedSpec(spec)
      const present = await find(spec.app, spec.service, spec.slot)
      if (present?.state === 'running' && present.labels[LABEL.spec] === specHash(spec)) return
      await stop(spec.app, spec.service, spec.slot)
      const container = await create({
        applianceId: options.applianceId,
        spec: contained,
        caller: await callerOf(files, options.pid),
        busybox: await findBusybox(files),
        secretFile: await writeSecrets(spec, secretFile(spec.app, serviceKey(spec.service, spec.slot))),
      })
      try {
        await engine.start(container.id)
      } catch (error) {
        await engine.remove(container.id)
        throw error
      }
      await networks.tidy(spec.app)
    },

    stop,

    async forget(app) {
      for (const name of await engine.listVolumes([own, `${LABEL.app}=${app}`]))
        await engine.removeVolume(name)
      await forgetContainerLogs(ports, options.folder, app)
    },

    async status(app, service, slot) {
      const container = await find(app, service, slot)
      return container && statusOf(container)
    },

    async list() {
      return Promise.all((await engine.list([own])).filter(isService).map(statusOf))
    },

    async waitForExit(app, service, signal, slot) {
      for (let pauseMs = 20; ; pauseMs = Math.min(pauseMs * 1.5, LONGEST_POLL_MS)) {
        const container = await find(app, service, slot)
        if (container?.state !== 'running') return { exitCode: container?.exitCode, signal: undefined }
        if (signal.aborted) throw cancelled(`The end of ${service} of ${app} was not waited for`)
        await clock.wait(pauseMs, signal)
      }
    },

    async runOnce(spec, command, runOptions, signal) {
      if (signal.aborted) throw cancelled('The command was not run')
      const id = readableId(8)
      const caller = await callerOf(files, options.pid)
      const path = secretFile(spec.app, `run-${caller}-${id}`)
      const once = { id }
      let container: Container | undefined
      try {
        container = await create({
          applianceId: options.applianceId,
          spec: containedSpec(spec),
          command,
          once,
          caller,
          busybox: await findBusybox(files),
          secretFile: await writeSecrets(spec, path),
        })
        const { timeoutMs, onLine } = runOptions
        const attached = dockerCommand(options, ['start', '--attach', container.id], {
          timeoutMs,
          ...(onLine ? { onLine } : {}),
        })
        return overdue(await processes.run(attached, signal))
      } finally {
        if (container) await engine.remove(container.id)
        await files.remove(path)
        await tidyVolumes(spec.app, spec.slot).catch(() => undefined)
        await tidyPlace(spec.app).catch(() => undefined)
      }
    },

    async runInside(spec, command, { timeoutMs }, signal) {
      const container = await find(spec.app, spec.service, spec.slot)
      if (container?.state !== 'running') throw notRunning(spec)
      const words = insideWords(secretVariables(spec) !== undefined, Math.ceil(timeoutMs / SECOND_MS))
      // What runs inside ends by itself a little later than its caller gives it up.
      const args = ['exec', container.id, ...words, ...command]
      return overdue(await processes.run(dockerCommand(options, args, { timeoutMs }), signal))
    },

    // A container is its own record.
    damaged: async () => [],
    mend: async () => true,

    async gatherLogs() {
      const services = (await engine.list([own])).filter(isService)
      await gatherContainerLogs(ports, options, options.folder, services)
    },

    async endStrays() {
      // All that is in a container ends with it.
    },

    async endLeftovers() {
      const ended = []
      for (const container of await engine.list([own])) {
        const { labels, pid } = container
        // A service that was started is nobody's leftover, whoever started it.
        if (isService(container) || (await isCallerAlive(files, labels[LABEL.caller] ?? ''))) continue
        await take(container, { signal: 'SIGKILL', graceMs: LAST_SIGNAL_LIMIT_MS, lastSignal: 'SIGKILL' })
        ended.push({ app: labels[LABEL.app] ?? '', service: labels[LABEL.service] ?? '', pid })
      }
      for (const { name } of (await files.list(options.secretFolder)) ?? []) {
        const caller = /\.run-(\d+\.\w+)-[^-]+$/.exec(name)?.[1]
        if (caller !== undefined && !(await isCallerAlive(files, caller)))
          await files.remove(join(options.secretFolder, name))
      }
      return ended
    },
  }
}

/** What the engine's program ends with when it is given up says nothing of the command. */
function overdue(result: CommandResult): CommandResult {
  return result.timedOut ? { ...result, exitCode: undefined } : result
}

function containedSpec(spec: ServiceSpec): ContainedSpec {
  const { container } = spec
  if (!container) throw new Error(`${spec.service} of ${spec.app} has no container part`)
  return { ...spec, container }
}

function stopOf({ labels }: Container): StopSpec {
  const [signal = 'SIGTERM', graceMs = '20000', lastSignal = 'SIGKILL'] = (labels[LABEL.stop] ?? '').split(
    ' ',
  )
  return {
    signal: (signal === '' ? 'SIGTERM' : signal) as StopSpec['signal'],
    graceMs: Number(graceMs),
    lastSignal: lastSignal as StopSpec['lastSignal'],
  }
}

function imageMissing({ app, service, container }: ContainedSpec): AppError {
  return new AppError('IMAGE_MISSING', {
    what: `The service ${service} of ${app} was not started`,
    why: `its image ${container.image} is not on this machine`,
    next: '"caretaker up" fetches it again, or builds it',
  })
}

function notRunning({ app, service }: ServiceSpec): AppError {
  return new AppError('SERVICE_START_FAILED', {
    what: `No command was run in ${service} of ${app}`,
    why: 'it does not run',
    next: 'caretaker up',
  })
}

function cancelled(what: string): AppError {
  return new AppError('CANCELLED', {
    what,
    why: 'the operation that waited was cancelled',
    next: 'Run "caretaker operation list", then resume or undo the operation',
  })
}
