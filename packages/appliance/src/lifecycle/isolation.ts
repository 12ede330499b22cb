import { dirname, join } from 'node:path'
import { lastLines } from '@caretaker/ports/command.ts'
import { originOf } from '../config/clone.ts'
import { releasesFolder } from '../release/release.ts'
import { makeCellCommand, notIsolated } from '../runtime/isolation.ts'
import type { ServiceSpec } from '../runtime/runtime.ts'
import { appFolders } from './app-files.ts'
import { type Appliance, programFolder } from './appliance.ts'

/** How long the machine may take to say whether it allows namespaces. */
const PROBE_LIMIT_MS = 30_000

/**
 * What every spec of an application carries about its isolation: for a clone that may not reach the outside, that it sees
 * its own folders, the releases of its origin and the programs that run them, and of the appliance nothing else; for every
 * clone, where its mail goes. `port` is where this machine reaches the service.
 */
export async function isolationOf(
  appliance: Appliance,
  app: string,
  port?: number,
): Promise<Pick<ServiceSpec, 'isolation'>> {
  const { config, configFile, folders, stateFolder } = appliance
  const clone = config.applications[app]?.clone
  if (!clone) return {}
  const own = appFolders(appliance, app)
  const ports = port === undefined ? [] : [port]
  const mailFolder = cloneMailFolder(stateFolder, app)
  // Containers see nothing of this machine but what is given to them.
  const bare = { name: app, hide: [], show: [], mailFolder, ports }
  if (clone.allowOutside) return { isolation: { ...bare, open: true } }
  if (config.runtime === 'docker') return { isolation: bare }
  return {
    isolation: {
      name: app,
      hide: [stateFolder, folders.data, folders.volatile, folders.run, folders.secrets, configFile],
      show: [
        { path: dirname(await programFolder(appliance, 'node')), writable: false },
        { path: releasesFolder(stateFolder, originOf(config, app)), writable: false },
        // The folders below this one are switched and made anew.
        { path: dirname(own.unit), writable: true },
        { path: own.volatile, writable: true },
        { path: own.socket, writable: true },
        { path: dirname(own.secrets), writable: false },
      ],
      mailFolder,
      ports,
    },
  }
}

/** Where the mails of a clone are kept, for the service user alone. */
export function cloneMailFolder(stateFolder: string, clone: string): string {
  return join(stateFolder, 'mail', clone)
}

/**
 * Makes sure that a clone will be isolated, or that a person has allowed it not to be.
 * @throws AppError CLONE_NOT_ISOLATED
 */
export async function assertIsolation(
  { config, ports }: Appliance,
  clone: string,
  allowOutside: boolean,
): Promise<void> {
  if (allowOutside) return
  const what = `The clone ${clone} was not made`
  const isRoot = ports.machine.user().uid === 0
  if (config.runtime === 'docker') {
    if (!isRoot) throw notIsolated(what, 'only root may close networks of containers')
    return
  }
  const [file = '', ...args] = makeCellCommand(isRoot, ['/bin/true'])
  const result = await ports.processes.run({ file, args, env: {}, timeoutMs: PROBE_LIMIT_MS })
  if (result.exitCode !== 0) throw notIsolated(what, lastLines(result.stderr, 2) || 'namespaces are refused')
}
