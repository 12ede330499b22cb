import type { Json } from '@caretaker/kernel/json.ts'
import type { StepContext, StepDefinition } from '@caretaker/steps/step.ts'
import { type Asked, readAppRecord, updateAppRecord } from './app-records.ts'
import { loadRelease } from './app-release.ts'
import type { Appliance } from './appliance.ts'
import { readClone } from './clone-records.ts'
import { isMigrationPending } from './migrate.ts'
import { databaseCreate, postgresStart } from './steps/postgres.ts'
import { unitCreate } from './steps/unit-create.ts'

/**
 * Whether a prepared release of its origin migrates the data of a clone: its own check says so. Of the clone only the
 * Postgres is started. The answer is stored durably in the record of the origin. The caller holds the lock.
 * @throws AppError CLONE_UNKNOWN, MIGRATION_FAILED when the check could not tell, POSTGRES_…, BUILD_FAILED
 */
export async function askMigrates(
  appliance: Appliance,
  clone: string,
  releaseId: string,
  context: StepContext,
): Promise<boolean> {
  const { ports, folders, stateFolder } = appliance
  const record = await readClone(ports.files, stateFolder, clone)
  if (!record) throw new Error(`there is no clone ${clone}`)
  const { application } = await loadRelease(appliance, clone, releaseId)
  if (application.migrate) {
    await ensure(unitCreate(appliance), { app: clone, releaseId }, context)
    if (application.database) {
      const { extensions } = application.database
      await ensure(postgresStart(appliance), { app: clone }, context)
      await ensure(databaseCreate(appliance), { app: clone, extensions }, context)
    }
  }
  const migrates = await isMigrationPending(appliance, application, releaseId, {}, context.signal)
  await updateAppRecord(ports.files, folders.apps, record.app, {
    asked: {
      releaseId,
      from: record.releaseId,
      migrates,
      at: ports.clock.now().toISOString(),
      cloned: record.createdAt,
    },
  })
  return migrates
}

/** What a release has said on this very clone: on another one the data may have been another. */
export async function answerOn(
  { ports, folders, stateFolder }: Appliance,
  { app, clone, releaseId }: { readonly app: string; readonly clone: string; readonly releaseId: string },
): Promise<Asked | undefined> {
  const { asked } = await readAppRecord(ports.files, folders.apps, app)
  const made = await readClone(ports.files, stateFolder, clone)
  const isOfIt = made !== undefined && asked?.cloned === made.createdAt && asked.from === made.releaseId
  return isOfIt && asked.releaseId === releaseId ? asked : undefined
}

/** Brings the effect of a step about, outside of a plan. */
async function ensure<Input extends Json>(
  step: StepDefinition<Input, null>,
  input: Input,
  context: StepContext,
): Promise<void> {
  const found = await step.check(input, context)
  if (found.state === 'needed') await step.apply(input, found.before, context)
}
