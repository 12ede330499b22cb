import { join } from 'node:path'
import { isAppError } from '@caretaker/kernel/errors.ts'
import { generatePassword } from '@caretaker/kernel/ids.ts'
import { hashOf } from '@caretaker/kernel/json.ts'
import { Secret } from '@caretaker/kernel/secrets.ts'
import { MINUTE_MS } from '@caretaker/kernel/time.ts'
import type { DatabaseAddress } from '@caretaker/ports/database.ts'
import { originOf, ownApplications } from '../config/clone.ts'
import { appAddress, superuserAddress } from '../database/address.ts'
import { type Cluster, serverCommand } from '../database/cluster.ts'
import { checkPostgres, waitForPostgres } from '../database/health.ts'
import { planPostgresMemory } from '../database/memory.ts'
import { findPostgresPrograms, type PostgresPrograms } from '../database/programs.ts'
import { isStopping } from '../database/stale-locks.ts'
import { startCluster } from '../database/start.ts'
import { STOP_LIMIT_MS } from '../database/stop.ts'
import { resetSuperuserPassword } from '../database/superuser.ts'
import { type ServiceSpec, specHash } from '../runtime/runtime.ts'
import { appFolders } from './app-files.ts'
import { type Appliance, programFolder } from './appliance.ts'
import { serviceLog } from './folders.ts'
import { isolationOf } from './isolation.ts'
import {
  ACCESS_INSIDE,
  postgresContainer,
  postgresProgramsInside,
  writePostgresFiles,
} from './postgres-image.ts'

/** Service name of the Postgres of an application. No service of a compose file may have it. */
export const POSTGRES_SERVICE = 'postgres'
/** How long a recovery is waited for, as at a start. */
const RECOVERY_LIMIT_MS = 10 * MINUTE_MS

/** The Postgres cluster of an application as the config and the machine want it. */
export function clusterOf(appliance: Appliance, app: string): Cluster {
  const { ports, config, serviceUser } = appliance
  const { socket, postgres, secrets } = appFolders(appliance, app)
  const clone = config.applications[app]?.clone
  return {
    app,
    role: originOf(config, app),
    ...(clone && !clone.allowOutside ? { ownPids: true } : {}),
    major: config.postgres.major,
    dataFolder: postgres,
    runFolder: socket,
    secretFolder: secrets,
    logFile: serviceLog(appliance.folders, app, POSTGRES_SERVICE),
    ...(serviceUser ? { owner: serviceUser } : {}),
    label: { appliance: config.id, app, service: POSTGRES_SERVICE },
    ...(config.runtime === 'docker' ? { accessFile: ACCESS_INSIDE } : {}),
    memory: planPostgresMemory({
      memoryBytes: ports.machine.memoryBytes(),
      cpuCount: ports.machine.cpuCount(),
      // What production gets does not depend on clones; each of those gets as little as if all were equal.
      clusters: Object.keys(clone ? config.applications : ownApplications(config)).length,
    }),
  }
}

/** @throws AppError POSTGRES_MAJOR_MISSING; in a container IMAGE_MISSING */
export async function postgresPrograms(appliance: Appliance): Promise<PostgresPrograms> {
  if (appliance.config.runtime === 'docker') return postgresProgramsInside(appliance)
  const folder = join(await programFolder(appliance, 'node'), '..')
  return findPostgresPrograms(appliance.ports.files, folder, appliance.config.postgres.major)
}

/** The application's own way into its database. Its password is generated at the first call. */
export async function databaseAddress(appliance: Appliance, app: string): Promise<DatabaseAddress> {
  return appAddress(clusterOf(appliance, app), await appliance.secrets.obtain(`${app}/database`))
}

/** Our way into the cluster of an application. */
export async function adminAddress(
  appliance: Appliance,
  app: string,
  database?: string,
): Promise<DatabaseAddress> {
  const password = await appliance.secrets.obtain(`${app}/superuser`)
  return superuserAddress(clusterOf(appliance, app), password, database)
}

/** Postgres of an application as a service of the runtime. Memory settings wait until its next start. */
export async function postgresSpec(appliance: Appliance, app: string): Promise<ServiceSpec> {
  const cluster = clusterOf(appliance, app)
  const command = serverCommand(await postgresPrograms(appliance), cluster)
  const container =
    appliance.config.runtime === 'docker'
      ? await postgresContainer(appliance, app, [cluster.dataFolder, cluster.runFolder])
      : undefined
  return {
    app,
    service: POSTGRES_SERVICE,
    releaseId: `postgres-${cluster.major}`,
    command: [command.file, ...command.args],
    revision: hashOf({ major: cluster.major, data: cluster.dataFolder, run: cluster.runFolder }),
    cwd: command.cwd ?? '/',
    env: command.env ?? {},
    owner: cluster.owner,
    logFile: cluster.logFile,
    stop: { signal: 'SIGINT', graceMs: STOP_LIMIT_MS, lastSignal: 'SIGQUIT' },
    health: undefined,
    restart: 'always',
    ...(container ? { container } : {}),
    ...(await isolationOf(appliance, app)),
  }
}

/**
 * When our password is lost, the stopped cluster is given a new one. It is stored after that: interrupted in between,
 * it is done again.
 */
async function ensureOurPassword(appliance: Appliance, app: string): Promise<void> {
  const { ports, secrets } = appliance
  const name = `${app}/superuser`
  if (await secrets.find(name)) return
  const password = new Secret(name, generatePassword())
  await resetSuperuserPassword(ports, await postgresPrograms(appliance), clusterOf(appliance, app), password)
  await secrets.replace(name, password.reveal())
}

/**
 * Waits for the Postgres of an application that runs and recovers from a crash or still starts. Nothing when it
 * answers, does not run or is on its way down.
 * @throws AppError POSTGRES_START_FAILED when it ends meanwhile, POSTGRES_UNREACHABLE
 */
export async function awaitRecovery(
  appliance: Appliance,
  app: string,
  signal: AbortSignal,
): Promise<'ready' | 'not there'> {
  const { ports, runtime, secrets } = appliance
  const status = await runtime.status(app, POSTGRES_SERVICE)
  if (status?.state !== 'running' || !status.identity) return 'not there'
  if (!(await secrets.find(`${app}/superuser`))) return 'not there'
  const address = await adminAddress(appliance, app)
  const health = await checkPostgres(ports.databases, address)
  if (health.state === 'ready') return 'ready'
  const cluster = clusterOf(appliance, app)
  if (health.state !== 'starting' || (await isStopping(ports.files, cluster))) return 'not there'
  const server = { ...cluster, identity: status.identity }
  await waitForPostgres(ports, server, address, { timeoutMs: RECOVERY_LIMIT_MS, signal })
  return 'ready'
}

/**
 * Starts the Postgres of an application through the runtime and waits until it answers. One that runs as it should
 * and recovers is only waited for: a stop would make it begin anew, and takes it up to a minute in that state.
 * @throws AppError as `startCluster`
 */
export async function startDatabase(appliance: Appliance, app: string, signal: AbortSignal): Promise<void> {
  const { ports, runtime } = appliance
  const cluster = clusterOf(appliance, app)
  const spec = await postgresSpec(appliance, app)
  const launcher = {
    async start() {
      await runtime.start(spec)
      const status = await runtime.status(app, POSTGRES_SERVICE)
      if (!status?.identity) throw new Error('the runtime gave Postgres no process of this machine')
      return status.identity
    },
    stop: () => runtime.stop(app, POSTGRES_SERVICE),
  }
  const present = await runtime.status(app, POSTGRES_SERVICE)
  if (present?.specHash === specHash(spec)) {
    const outcome = await awaitRecovery(appliance, app, signal).catch((error: unknown) => {
      if (isAppError(error, 'POSTGRES_START_FAILED')) return 'not there'
      throw error
    })
    if (outcome === 'ready') return
  }
  // One that runs with other settings, or does not answer, makes room first.
  await runtime.stop(app, POSTGRES_SERVICE)
  if (spec.container) await writePostgresFiles(appliance, app)
  await ensureOurPassword(appliance, app)
  await startCluster(ports, await postgresPrograms(appliance), cluster, await adminAddress(appliance, app), {
    launcher,
    signal,
  })
}
