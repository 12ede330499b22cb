import { tmpdir } from 'node:os'
import { fileURLToPath } from 'node:url'
import { createHost } from '@caretaker/host/host.ts'
import { applianceId, generatePassword, readableId } from '@caretaker/kernel/ids.ts'
import { Secret } from '@caretaker/kernel/secrets.ts'
import type { DatabaseAddress } from '@caretaker/ports/database.ts'
import type { Owner } from '@caretaker/ports/files.ts'
import type { Ports } from '@caretaker/ports/ports.ts'
import type { ProcessIdentity } from '@caretaker/ports/process.ts'
import { stagePostgres } from '../../../../scripts/stage-postgres.mjs'
import { removeSealed } from '../storage/seal.ts'
import { superuserAddress } from './address.ts'
import type { Cluster } from './cluster.ts'
import { createCluster } from './create.ts'
import { findPostgresPrograms, type PostgresMajor } from './programs.ts'
import { startCluster } from './start.ts'
import { stopCluster } from './stop.ts'

/** A folder under the temporary one with staged Postgres binaries, and the clusters that a test starts in it. */
export interface PostgresLab extends AsyncDisposable {
  readonly ports: Ports
  readonly folder: string
  readonly programsFolder: string
  /** As root Postgres runs as an unprivileged user: "nobody". */
  readonly owner: Owner | undefined
  readonly superuserPassword: Secret
  readonly appPassword: Secret
  cluster(dataFolder: string, more?: { major?: PostgresMajor; app?: string }): Cluster
  superuser(cluster: Cluster, database?: string): DatabaseAddress
  create(cluster: Cluster): Promise<void>
  start(cluster: Cluster): Promise<ProcessIdentity>
  stop(identity: ProcessIdentity): Promise<void>
}

export async function openPostgresLab(majors: readonly PostgresMajor[] = [17]): Promise<PostgresLab> {
  const ports = createHost()
  const folder = `${tmpdir()}/caretaker-${readableId(8)}`
  await ports.files.makeFolder(folder, 0o755)
  const programsFolder = `${folder}/programs`
  await ports.files.makeFolder(programsFolder, 0o755)
  for (const major of majors) {
    const name = `postgres-${major}-linux-${process.arch}`
    const installed = fileURLToPath(
      new URL(`../../../../apps/caretaker/node_modules/${name}`, import.meta.url),
    )
    await stagePostgres(installed, `${programsFolder}/postgres-${major}`)
  }
  const owner = ports.machine.user().uid === 0 ? await ports.machine.findUser('nobody') : undefined
  const appliance = applianceId()
  const superuserPassword = new Secret('superuser', generatePassword())
  const running = new Map<number, ProcessIdentity>()
  let runs = 0

  return {
    ports,
    folder,
    programsFolder,
    owner,
    superuserPassword,
    appPassword: new Secret('app', generatePassword()),
    cluster: (dataFolder, { major = 17, app = 'guestbook' } = {}) => ({
      app,
      major,
      dataFolder,
      runFolder: `${folder}/run-${++runs}`,
      logFile: `${folder}/postgres-${runs}.log`,
      ...(owner ? { owner } : {}),
      label: { appliance, app, service: 'postgres' },
      memory: {
        maxConnections: 20,
        sharedBuffersMib: 16,
        workMemMib: 4,
        maintenanceWorkMemMib: 16,
        effectiveCacheSizeMib: 64,
      },
    }),
    superuser: (cluster, database) => superuserAddress(cluster, superuserPassword, database),
    async create(cluster) {
      const programs = await findPostgresPrograms(ports.files, programsFolder, cluster.major)
      await createCluster(ports, programs, cluster, superuserPassword)
    },
    async start(cluster) {
      const programs = await findPostgresPrograms(ports.files, programsFolder, cluster.major)
      const address = superuserAddress(cluster, superuserPassword)
      const identity = await startCluster(ports, programs, cluster, address, { timeoutMs: 60_000 })
      running.set(identity.pid, identity)
      return identity
    },
    async stop(identity) {
      await stopCluster(ports, identity)
      running.delete(identity.pid)
    },
    async [Symbol.asyncDispose]() {
      for (const identity of running.values()) await stopCluster(ports, identity, 5000)
      for (const { identity } of await ports.processes.findByLabel(appliance)) {
        await ports.processes.signal(identity, 'SIGKILL')
      }
      await removeSealed(ports.files, folder)
    },
  }
}
