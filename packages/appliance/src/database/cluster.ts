import { AppError } from '@caretaker/kernel/errors.ts'
import type { Owner } from '@caretaker/ports/files.ts'
import type { Command, DetachedCommand, ProcessLabel } from '@caretaker/ports/process.ts'
import type { PostgresMemory } from './memory.ts'
import type { PostgresMajor, PostgresPrograms } from './programs.ts'

/** The Postgres of one application. All paths are absolute. */
export interface Cluster {
  /** Name of the application; also of its role and its database, unless `role` is given. */
  readonly app: string
  /** Name of role and database where the data was made by an application of another name: in a clone. */
  readonly role?: string
  /** Its server counts processes by itself: what its lock file names is no process of this machine. */
  readonly ownPids?: boolean
  readonly major: PostgresMajor
  /** `postgres` inside the snapshot unit, reached through the stable path of the unit. */
  readonly dataFolder: string
  /** Folder for the socket, of this cluster alone; volatile. */
  readonly runFolder: string
  /** Folder of the owner's alone, in memory if it can be had, for the password while the cluster is made. */
  readonly secretFolder?: string
  readonly logFile: string
  /** The service user; given when we run as root, which Postgres refuses. */
  readonly owner?: Owner
  readonly label: ProcessLabel
  readonly memory: PostgresMemory
  /**
   * Who else than the unix socket lets in, for a server in a container: the file that says so, as the server sees it.
   * Undefined: it listens on its socket only.
   */
  readonly accessFile?: string
}

/** The role we ourselves use: superuser of every cluster. */
export const SUPERUSER = 'caretaker'

/** Every cluster has a socket folder of its own, so all use the usual port number: it is only part of a name. */
export const PORT = 5432

/** Bytes of sun_path of a unix socket address on Linux, without the closing NUL. */
const SOCKET_PATH_LIMIT = 107

/**
 * Creates the files of a new cluster in `folder`.
 *
 * Collation: data outlives the C library and ICU of the machine it was created on, and an index sorted by another
 * version of either is silently wrong. So strings are ordered by code point everywhere: from major 17 on by the
 * server's builtin C.UTF-8, before by the library's C; upper and lower case follow C.UTF-8. Who wants the order of
 * a language asks for it by name (`COLLATE "de-x-icu"`).
 */
export function initdbCommand(
  programs: PostgresPrograms,
  cluster: Pick<Cluster, 'owner'>,
  folder: string,
  passwordFile: string,
): Command {
  const provider = programs.major >= 17 ? ['--locale-provider=builtin', '--builtin-locale=C.UTF-8'] : []
  return {
    file: programs.initdb,
    args: [
      `--pgdata=${folder}`,
      `--username=${SUPERUSER}`,
      `--pwfile=${passwordFile}`,
      '--auth-local=scram-sha-256',
      '--auth-host=scram-sha-256',
      '--data-checksums',
      '--encoding=UTF8',
      '--locale=C',
      '--lc-ctype=C.UTF-8',
      ...provider,
      '--no-instructions',
    ],
    env: { TZ: 'UTC' },
    cwd: '/',
    ...ownedBy(cluster),
    timeoutMs: 120_000,
  }
}

/**
 * The server. Its settings are arguments, so that they follow the appliance's config and the machine, not the
 * snapshot the data came from; ALTER SYSTEM does not override them.
 * @throws AppError SOCKET_PATH_TOO_LONG
 */
export function serverCommand(programs: PostgresPrograms, cluster: Cluster): DetachedCommand {
  assertSocketPath(cluster.runFolder)
  const settings = Object.entries(serverSettings(cluster))
  return {
    file: programs.postgres,
    args: ['-D', cluster.dataFolder, ...settings.flatMap(([name, value]) => ['-c', `${name}=${value}`])],
    env: { TZ: 'UTC' },
    cwd: '/',
    logFile: cluster.logFile,
    label: cluster.label,
    ...ownedBy(cluster),
  }
}

/** Settings of the server by name, as the Postgres manual names them. */
export function serverSettings({
  runFolder,
  memory,
  accessFile,
}: Pick<Cluster, 'runFolder' | 'memory' | 'accessFile'>): Readonly<Record<string, string>> {
  return {
    listen_addresses: accessFile === undefined ? '' : '*',
    ...(accessFile === undefined ? {} : { hba_file: accessFile }),
    port: String(PORT),
    // A comma would separate two folders.
    unix_socket_directories: `"${runFolder.replaceAll('"', '""')}"`,
    unix_socket_permissions: '0700',
    password_encryption: 'scram-sha-256',
    max_connections: String(memory.maxConnections),
    shared_buffers: `${memory.sharedBuffersMib}MB`,
    work_mem: `${memory.workMemMib}MB`,
    maintenance_work_mem: `${memory.maintenanceWorkMemMib}MB`,
    effective_cache_size: `${memory.effectiveCacheSizeMib}MB`,
    fsync: 'on',
    full_page_writes: 'on',
    synchronous_commit: 'on',
    wal_level: 'replica',
    shared_preload_libraries: '',
    logging_collector: 'off',
    log_destination: 'stderr',
    log_line_prefix: '%m [%p] %q%u@%d ',
    log_timezone: 'UTC',
    timezone: 'UTC',
  }
}

/**
 * Runs one SQL line from its input on a stopped cluster, past all authentication: the way in when the password in
 * the data is not the one we know (an older snapshot, a restored machine).
 */
export function singleUserCommand(programs: PostgresPrograms, cluster: Cluster, sqlLine: string): Command {
  return {
    file: programs.postgres,
    args: ['--single', '-j', '-D', cluster.dataFolder, '-c', 'exit_on_error=on', 'postgres'],
    env: { TZ: 'UTC' },
    cwd: '/',
    input: `${sqlLine};\n\n`,
    ...ownedBy(cluster),
    timeoutMs: 600_000,
  }
}

/** The socket that the server makes in the run folder; beside it lies its `.lock`. */
export function socketPath(runFolder: string): string {
  return `${runFolder}/.s.PGSQL.${PORT}`
}

/** @throws AppError SOCKET_PATH_TOO_LONG */
export function assertSocketPath(runFolder: string): void {
  const path = socketPath(runFolder)
  const length = Buffer.byteLength(path)
  if (length <= SOCKET_PATH_LIMIT) return
  throw new AppError('SOCKET_PATH_TOO_LONG', {
    what: 'Postgres cannot be started',
    why: `the path of its socket, ${path}, has ${length} bytes and the operating system allows ${SOCKET_PATH_LIMIT}`,
    next: `Move the state folder to a path that is at least ${length - SOCKET_PATH_LIMIT} bytes shorter`,
  })
}

function ownedBy({ owner }: Pick<Cluster, 'owner'>): { owner?: Owner } {
  return owner ? { owner } : {}
}
