import { join } from 'node:path'
import { generatePassword } from '@caretaker/kernel/ids.ts'
import { hashOf } from '@caretaker/kernel/json.ts'
import { Secret } from '@caretaker/kernel/secrets.ts'
import type { DatabaseAddress } from '@caretaker/ports/database.ts'
import { appAddress, superuserAddress } from '../database/address.ts'
import { type Cluster, serverCommand } from '../database/cluster.ts'
import { planPostgresMemory } from '../database/memory.ts'
import { findPostgresPrograms, type PostgresPrograms } from '../database/programs.ts'
import { startCluster } from '../database/start.ts'
import { STOP_LIMIT_MS } from '../database/stop.ts'
import { resetSuperuserPassword } from '../database/superuser.ts'
import type { ServiceSpec } from '../runtime/runtime.ts'
import { appFolders } from './app-files.ts'
import { type Appliance, programFolder } from './appliance.ts'
import { serviceLog } from './folders.ts'

/** Service name of the Postgres of an application. No service of a compose file may have it. */
export const POSTGRES_SERVICE = 'postgres'

/** The Postgres cluster of an application as the config and the machine want it. */
export function clusterOf(appliance: Appliance, app: string): Cluster {
  const { ports, config, serviceUser } = appliance
  const { socket, postgres } = appFolders(appliance, app)
  return {
    app,
    major: config.postgres.major,
    dataFolder: postgres,
    runFolder: socket,
    logFile: serviceLog(appliance.folders, app, POSTGRES_SERVICE),
    ...(serviceUser ? { owner: serviceUser } : {}),
    label: { appliance: config.id, app, service: POSTGRES_SERVICE },
    memory: planPostgresMemory({
      memoryBytes: ports.machine.memoryBytes(),
      cpuCount: ports.machine.cpuCount(),
      clusters: Object.keys(config.applications).length,
    }),
  }
}

/** @throws AppError POSTGRES_MAJOR_MISSING */
export async function postgresPrograms(appliance: Appliance): Promise<PostgresPrograms> {
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
 * Starts the Postgres of an application through the runtime and waits until it answers.
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
  // One that runs with other settings, or does not answer, makes room first.
  await runtime.stop(app, POSTGRES_SERVICE)
  await ensureOurPassword(appliance, app)
  await startCluster(ports, await postgresPrograms(appliance), cluster, await adminAddress(appliance, app), {
    launcher,
    signal,
  })
}
