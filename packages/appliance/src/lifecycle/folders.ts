import { join } from 'node:path'
import { sha256 } from '@caretaker/kernel/json.ts'

/** Longest path of the run folder that leaves room for the longest socket name below it; the kernel takes 107 bytes. */
const LONGEST_RUN_FOLDER = 60

/** Where everything of one appliance lies on this machine. All paths are absolute. */
export interface Folders {
  /** What this machine knows of the appliance: journals, records, releases, logs, certificates. */
  readonly state: string
  /** Sockets. */
  readonly run: string
  /** Secrets as files, while the applications that read them run. In memory where this machine has such a place. */
  readonly secrets: string
  readonly apps: string
  readonly processes: string
  /** What is remembered of containers beyond what the engine knows. */
  readonly containers: string
  readonly logs: string
  readonly certificates: string
  /** The data volume: what must never be lost. */
  readonly data: string
  /** What may be lost. */
  readonly volatile: string
}

/**
 * The folders that follow from the state folder and the two volumes of the config (absolute, or inside the state folder).
 * `memory` is a folder of this machine that lies in memory; without one, secrets lie in the run folder.
 */
export function foldersOf(
  stateFolder: string,
  volumes: { readonly data: string; readonly volatile: string },
  uid: number,
  memory?: string,
): Folders {
  return {
    state: stateFolder,
    run: runFolder(stateFolder, uid),
    secrets:
      memory === undefined
        ? diskSecrets(runFolder(stateFolder, uid))
        : join(memory, ownName(stateFolder, uid)),
    apps: join(stateFolder, 'apps'),
    processes: join(stateFolder, 'processes'),
    containers: join(stateFolder, 'containers'),
    logs: join(stateFolder, 'logs'),
    certificates: join(stateFolder, 'certificates'),
    data: volumes.data,
    volatile: volumes.volatile,
  }
}

/**
 * The run folder of a state folder: inside it, or, where that path is too long for a unix socket, a folder of this
 * user's below /tmp whose name follows from the path.
 */
export function runFolder(stateFolder: string, uid: number): string {
  const inside = join(stateFolder, 'run')
  if (Buffer.byteLength(inside) <= LONGEST_RUN_FOLDER) return inside
  return `/tmp/${ownName(stateFolder, uid)}`
}

/** A name that no other state folder and no other user of this machine has. */
function ownName(stateFolder: string, uid: number): string {
  return `caretaker-${uid}-${sha256(stateFolder).slice(0, 12)}`
}

/** Where secret files lie on a machine that has no place for them in memory. */
export function diskSecrets(run: string): string {
  return join(run, 'secrets')
}

/** Socket of the local API of the daemon. */
export function apiSocket(run: string): string {
  return join(run, 'caretaker.sock')
}

export function serviceLog(folders: Folders, app: string, service: string): string {
  return join(folders.logs, app === '-' ? 'appliance' : app, `${service}.log`)
}
