import { AppError } from '@caretaker/kernel/errors.ts'
import { HOUR_MS } from '@caretaker/kernel/time.ts'
import { defineStep } from '@caretaker/steps/step.ts'
import { type Application, serviceNamed } from '../../application/application.ts'
import { commandTail, runInService } from '../app-command.ts'
import { POSTGRES_SERVICE } from '../app-database.ts'
import { readAppRecord } from '../app-records.ts'
import { loadRelease } from '../app-release.ts'
import type { Appliance } from '../appliance.ts'
import type { ReleaseInput } from './release-prepare.ts'

/** What a migrate check command ends with when there is something to migrate. */
export const MIGRATIONS_PENDING = 10

/**
 * Brings the database and files of an application to what its release needs. What a migration did is not taken back
 * by this step: it is the point of no return of a first start.
 */
export const appMigrate = (appliance: Appliance) =>
  defineStep<ReleaseInput, null>({
    kind: 'app.migrate',
    describe: ({ app, releaseId }) => `Migrate the data of ${app} for ${releaseId}`,
    async check({ app, releaseId }, { signal }) {
      const loaded = await loadRelease(appliance, app, releaseId).catch(() => undefined)
      if (!loaded) return { state: 'needed', before: null }
      if (await isCommitted(appliance, app, releaseId)) return { state: 'done' }
      if (
        (await appliance.runtime.status(app, POSTGRES_SERVICE))?.state !== 'running' &&
        loaded.application.database
      ) {
        return { state: 'needed', before: null }
      }
      return (await hasPendingMigrations(appliance, loaded.application, releaseId, signal))
        ? { state: 'needed', before: null }
        : { state: 'done' }
    },
    async apply({ app, releaseId }, _before, { signal, progress }) {
      const { application } = await loadRelease(appliance, app, releaseId)
      const { migrate } = application
      if (!migrate) return
      const service = serviceNamed(application, migrate.service)
      const options = { timeoutMs: migrate.timeoutMs, onLine: progress }
      const result = await runInService(appliance, app, releaseId, service, migrate.run, options, signal)
      if (result.exitCode !== 0)
        throw await migrationFailed(
          appliance,
          application,
          `"${migrate.run.join(' ')}" ${commandTail(result)}`,
        )
    },
    undo: 'impossible',
    timeoutMs: 24 * HOUR_MS,
  })

/** A release that was committed has migrated: its check is not run at every `up`. */
async function isCommitted(appliance: Appliance, app: string, releaseId: string): Promise<boolean> {
  return (await readAppRecord(appliance.ports.files, appliance.folders.apps, app)).releaseId === releaseId
}

/** Whether its migrations are pending in the data of the application, as its own check says. @throws AppError MIGRATION_FAILED */
export async function hasPendingMigrations(
  appliance: Appliance,
  application: Application,
  releaseId: string,
  signal: AbortSignal,
): Promise<boolean> {
  const { migrate, name } = application
  if (!migrate) return false
  const service = serviceNamed(application, migrate.service)
  const options = { timeoutMs: migrate.timeoutMs }
  const result = await runInService(appliance, name, releaseId, service, migrate.check, options, signal)
  if (result.exitCode === 0) return false
  if (result.exitCode === MIGRATIONS_PENDING) return true
  throw await migrationFailed(
    appliance,
    application,
    `its check "${migrate.check.join(' ')}" ${commandTail(result)}`,
  )
}

/** Without its database no migration can do its work: then that is the reason, and not what the command makes of it. */
async function migrationFailed(
  appliance: Appliance,
  { name, database }: Application,
  why: string,
): Promise<AppError> {
  const what = `The data of ${name} was not migrated`
  if (database && (await appliance.runtime.status(name, POSTGRES_SERVICE))?.state !== 'running') {
    return new AppError('POSTGRES_UNREACHABLE', {
      what,
      why: `its Postgres ended in the middle of it; ${why}`,
      next: `"caretaker up" starts it again and goes on; "caretaker logs ${name} postgres" tells why it ended`,
    })
  }
  return new AppError('MIGRATION_FAILED', {
    what,
    why,
    next: `Correct what it complains about (the release or the data), then "caretaker up"`,
  })
}
