import { join } from 'node:path'
import { AppError } from '@caretaker/kernel/errors.ts'
import { HOUR_MS, MINUTE_MS, SECOND_MS } from '@caretaker/kernel/time.ts'
import { DatabaseError, quoteIdentifier } from '@caretaker/ports/database.ts'
import { defineStep } from '@caretaker/steps/step.ts'
import { createCluster } from '../../database/create.ts'
import { explainDatabase, explaining } from '../../database/explain.ts'
import { checkPostgres } from '../../database/health.ts'
import { assertCluster, hasCluster } from '../../database/inspect.ts'
import { createDatabase, ensureRole, hasDatabase } from '../../database/roles.ts'
import { specHash } from '../../runtime/runtime.ts'
import {
  adminAddress,
  awaitRecovery,
  clusterOf,
  databaseAddress,
  POSTGRES_SERVICE,
  postgresPrograms,
  postgresSpec,
  startDatabase,
} from '../app-database.ts'
import { readAppRecord, updateAppRecord } from '../app-records.ts'
import { makeSecretFolder } from '../app-secrets.ts'
import type { Appliance } from '../appliance.ts'
import {
  hasPostgresImage,
  postgresImageName,
  preparePostgresImage,
  writePostgresFiles,
} from '../postgres-image.ts'

type AppInput = {
  readonly app: string
}

/** Fetches the image of the database server, before anything is stopped. */
export const postgresFetch = (appliance: Appliance) =>
  defineStep<null, null>({
    kind: 'postgres.fetch',
    describe: () => `Fetch the image ${postgresImageName(appliance)}`,
    async check() {
      return (await hasPostgresImage(appliance)) ? { state: 'done' } : { state: 'needed', before: null }
    },
    async apply(_input, _before, context) {
      await preparePostgresImage(appliance, context)
    },
    undo: 'not-needed',
    timeoutMs: HOUR_MS,
  })

/** Creates the Postgres cluster of an application inside its snapshot unit; only when it never had one. */
export const postgresCreate = (appliance: Appliance) =>
  defineStep<AppInput, null>({
    kind: 'postgres.create',
    describe: ({ app }) => `Create the Postgres ${appliance.config.postgres.major} cluster of ${app}`,
    async check({ app }) {
      const { ports, folders } = appliance
      const cluster = clusterOf(appliance, app)
      const record = await readAppRecord(ports.files, folders.apps, app)
      if (record.databaseCreated || (await hasCluster(ports.files, cluster))) {
        await assertCluster(ports.files, cluster)
        return { state: 'done' }
      }
      return { state: 'needed', before: null }
    },
    async apply({ app }, _before, { signal }) {
      const { ports, secrets, folders } = appliance
      await ports.files.makeFolder(join(folders.run, 'pg'), 0o711)
      await makeSecretFolder(appliance, app)
      if (appliance.config.runtime === 'docker') await writePostgresFiles(appliance, app)
      const password = await secrets.obtain(`${app}/superuser`)
      await createCluster(
        ports,
        await postgresPrograms(appliance),
        clusterOf(appliance, app),
        password,
        signal,
      )
    },
    undo: 'not-needed',
    timeoutMs: 5 * MINUTE_MS,
  })

/** Starts the Postgres of an application; after a crash it recovers by itself first. */
export const postgresStart = (appliance: Appliance) =>
  defineStep<AppInput, null>({
    kind: 'postgres.start',
    describe: ({ app }) => `Start the Postgres of ${app}`,
    async check({ app }) {
      const status = await appliance.runtime.status(app, POSTGRES_SERVICE)
      if (status?.state !== 'running') {
        return { state: 'needed', before: null, because: () => notUp(app, 'its process ended again') }
      }
      if (status.specHash !== specHash(await postgresSpec(appliance, app)))
        return { state: 'needed', before: null }
      // Ours is made at the start; to look must not make one that the server does not know.
      if (!(await appliance.secrets.find(`${app}/superuser`))) return { state: 'needed', before: null }
      const health = await checkPostgres(appliance.ports.databases, await adminAddress(appliance, app))
      return health.state === 'ready'
        ? { state: 'done' }
        : { state: 'needed', before: null, because: () => notUp(app, health.why) }
    },
    async apply({ app }, _before, { signal }) {
      await appliance.ports.files.makeFolder(join(appliance.folders.run, 'pg'), 0o711)
      await startDatabase(appliance, app, signal)
    },
    undo: 'not-needed',
    timeoutMs: 12 * MINUTE_MS,
  })

function notUp(app: string, why: string): AppError {
  return new AppError('POSTGRES_UNREACHABLE', {
    what: `Postgres of ${app} was started and does not serve`,
    why,
    next: `"caretaker up" starts it again; "caretaker logs ${app} postgres" tells why it ended`,
  })
}

/** The role, database and extensions of an application. A database that was there before is never made anew. */
export const databaseCreate = (appliance: Appliance) =>
  defineStep<{ readonly app: string; readonly extensions: readonly string[] }, null>({
    kind: 'database.create',
    describe: ({ app }) => `Create the role and the database of ${app}`,
    async check({ app, extensions }) {
      const { ports, runtime } = appliance
      if ((await runtime.status(app, POSTGRES_SERVICE))?.state !== 'running') return waiting(appliance, app)
      // Before it was made there is nothing to ask: the server would log a role that tries to come in and is not known.
      if (!(await isRecorded(appliance, app))) return { state: 'needed', before: null }
      const address = await databaseAddress(appliance, app)
      try {
        const rows = await ports.databases.withSession(address, { timeoutMs: 10 * SECOND_MS }, (session) =>
          session.query<{ extname: string }>('SELECT extname FROM pg_extension'),
        )
        const present = new Set(rows.map((row) => row.extname))
        const complete = extensions.every((name) => present.has(name))
        return complete ? { state: 'done' } : { state: 'needed', before: null }
      } catch (error) {
        if (!(error instanceof DatabaseError)) throw error
        return { state: 'needed', before: null, because: () => explainDatabase(app, notPrepared(app), error) }
      }
    },
    async apply({ app, extensions }, _before, { signal }) {
      await explaining(app, notPrepared(app), () => prepareDatabase(appliance, app, extensions, signal))
    },
    undo: 'not-needed',
    timeoutMs: 12 * MINUTE_MS,
  })

const notPrepared = (app: string) => `The database of ${app} was not prepared`

async function prepareDatabase(
  appliance: Appliance,
  app: string,
  extensions: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const { ports, folders } = appliance
  // A process of it that died a moment ago makes all of it recover.
  await awaitRecovery(appliance, app, signal)
  const admin = await adminAddress(appliance, app)
  const address = await databaseAddress(appliance, app)
  const record = await readAppRecord(ports.files, folders.apps, app)
  if (record.databaseCreated && !(await hasDatabase(ports.databases, admin, address.database))) {
    throw new AppError('DATABASE_ABSENT', {
      what: `${app} is not started`,
      why: `its Postgres runs, but the database ${address.database} that was there before is gone`,
      next: `Find out who dropped it ("caretaker logs ${app} postgres"), and bring it back from a backup`,
    })
  }
  await ensureRole(ports.databases, admin, address)
  await createDatabase(ports.databases, admin, address)
  const inside = await adminAddress(appliance, app, address.database)
  await ports.databases.withSession(inside, { timeoutMs: MINUTE_MS }, async (session) => {
    for (const name of extensions)
      await session.query(`CREATE EXTENSION IF NOT EXISTS ${quoteIdentifier(name)}`)
  })
  await updateAppRecord(ports.files, folders.apps, app, { databaseCreated: true })
}

/** While Postgres is stopped nothing can be asked: a database that was made is taken to be there. */
async function waiting(appliance: Appliance, app: string) {
  return (await isRecorded(appliance, app))
    ? ({ state: 'done' } as const)
    : ({ state: 'needed', before: null } as const)
}

async function isRecorded(appliance: Appliance, app: string): Promise<boolean> {
  return (await readAppRecord(appliance.ports.files, appliance.folders.apps, app)).databaseCreated
}
