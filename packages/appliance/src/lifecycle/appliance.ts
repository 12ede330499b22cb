import { join } from 'node:path'
import { AppError } from '@caretaker/kernel/errors.ts'
import type { Owner } from '@caretaker/ports/files.ts'
import type { Ports } from '@caretaker/ports/ports.ts'
import type { EmitEvent } from '@caretaker/steps/events.ts'
import type { Actor } from '@caretaker/steps/journal-records.ts'
import type { Runner } from '@caretaker/steps/runner.ts'
import { withClones } from '../config/clone.ts'
import type { Config } from '../config/config.ts'
import { storageFolders } from '../config/folders.ts'
import { createGatewayClient } from '../gateway/client.ts'
import { type Gateway, type GatewayPaths, gatewayPaths } from '../gateway/gateway.ts'
import { type CellOptions, createCells } from '../runtime/cells.ts'
import { createDockerRuntime } from '../runtime/docker/docker-runtime.ts'
import { createMixedRuntime } from '../runtime/mixed-runtime.ts'
import { createProcessRuntime } from '../runtime/process-runtime.ts'
import type { Runtime } from '../runtime/runtime.ts'
import { createStorage } from '../storage/create-storage.ts'
import type { Storage } from '../storage/storage.ts'
import { listClones } from './clone-records.ts'
import { engineBefore } from './engine-before.ts'
import { type Folders, foldersOf } from './folders.ts'
import { memoryFolder } from './memory-folder.ts'
import { dockerOptions } from './release-images.ts'
import { createSecretStore, type SecretStore } from './secret-store.ts'

/** The system user that Postgres and applications run as when we are root. */
export const SERVICE_USER = 'caretaker'

/** Programs that come along with caretaker. Absolute paths. */
export interface Programs {
  /** The pinned Node. */
  readonly node: string
  /** The built program of caretaker itself, as the gateway process is started. */
  readonly main: string
  /** Folder with node, pnpm and postgres-MAJOR. */
  readonly folder: string
  /** Version of caretaker. */
  readonly version: string
  /** Registry, proxy and certificate settings for what is fetched; the only variables taken from our environment. */
  readonly outgoing: Readonly<Record<string, string>>
}

/** Who acts, on what machine, from where. */
export interface Surrounding {
  readonly ports: Ports
  readonly actor: Actor
  readonly pid: number
  readonly programs: Programs
  readonly stateFolder: string
}

/** One configured appliance on this machine: everything an operation needs. */
export interface Appliance extends Surrounding {
  /** Clones are applications of it too, as they are now. */
  readonly config: Config
  readonly configFile: string
  readonly folders: Folders
  /** Undefined when we are no root: then services run as the user we are. */
  readonly serviceUser: Owner | undefined
  readonly runtime: Runtime
  readonly storage: Storage
  readonly gateway: Gateway
  readonly gatewayPaths: GatewayPaths
  readonly secrets: SecretStore
}

/**
 * Puts the parts together as the config says, and adds the clones to its applications. Changes nothing.
 * @throws AppError CONFIG_CONFLICT when an application of the config has the name or a host of a clone
 */
export async function openAppliance(
  around: Surrounding,
  written: Config,
  configFile: string,
): Promise<Appliance> {
  const { ports, stateFolder } = around
  const config = withClones(written, await listClones(ports.files, stateFolder))
  const user = ports.machine.user()
  const memory = await memoryFolder(ports)
  const folders = foldersOf(stateFolder, storageFolders(config, stateFolder), user.uid, memory)
  const serviceUser = user.uid === 0 ? await ports.machine.findUser(SERVICE_USER) : undefined
  const paths = gatewayPaths(stateFolder, folders.run)
  return {
    ...around,
    config,
    configFile,
    folders,
    serviceUser,
    runtime: await openRuntime(around, config, folders, serviceUser),
    storage: createStorage(config.storage.backend, ports, {
      root: folders.data,
      ...(serviceUser ? { owner: serviceUser } : {}),
      reservePercent: config.storage.reserve_percent,
      warnPercent: config.storage.warn_percent,
    }),
    gateway: createGatewayClient(ports, paths),
    gatewayPaths: paths,
    secrets: createSecretStore(ports.files, stateFolder, config.keys),
  }
}

async function openRuntime(
  around: Surrounding,
  config: Config,
  folders: Folders,
  serviceUser: Owner | undefined,
): Promise<Runtime> {
  const { ports, pid, programs, stateFolder } = around
  const cells: CellOptions = {
    program: [programs.node, programs.main, 'cell'],
    runFolder: folders.run,
    isUsed: async (app) => containers !== undefined && isIn(containers, app),
  }
  const placed = { applianceId: config.id, folder: folders.processes }
  const own = createProcessRuntime(ports, { ...placed, pid, cells })
  let containers: Runtime | undefined
  const before = config.runtime === 'process' ? await engineBefore(around) : undefined
  if (config.runtime === 'process' && !before) return own
  const { environment } = dockerOptions({ config, programs, stateFolder })
  containers = createDockerRuntime(ports, {
    socket: before?.socket ?? config.docker.socket,
    environment,
    applianceId: config.id,
    folder: folders.containers,
    // No application can have this name.
    secretFolder: join(folders.secrets, '.containers'),
    pid,
    mail: { cells: createCells(ports, { ...placed, ...cells }), owner: serviceUser },
  })
  return createMixedRuntime(own, containers, config.runtime)
}

/** Whether something of an application is there; while that cannot be asked, it may be. */
async function isIn(runtime: Runtime, app: string): Promise<boolean> {
  try {
    return (await runtime.list()).some((status) => status.app === app)
  } catch {
    return true
  }
}

/** A runner over this state folder. `registry` must know the kinds of the plans it is given. */
export function runnerFor(around: Surrounding, registry: Runner['registry'], emit: EmitEvent): Runner {
  const { ports, stateFolder, actor, pid } = around
  return { ports, registry, stateFolder, actor, pid, emit }
}

/** The folder of one of the programs that come along. @throws AppError COMMAND_NOT_FOUND */
export async function programFolder(appliance: Appliance, name: string): Promise<string> {
  for (const base of [join(appliance.stateFolder, 'programs'), appliance.programs.folder]) {
    const folder = join(base, name)
    if (await appliance.ports.files.stat(folder)) return folder
  }
  throw new AppError('COMMAND_NOT_FOUND', {
    what: `The program ${name} cannot be used`,
    why: `it is not in ${appliance.programs.folder}`,
    next: 'Build caretaker again ("npm start" does it), or install it anew',
  })
}
