import { AppError } from '@caretaker/kernel/errors.ts'
import type { Command, CommandResult } from '@caretaker/ports/process.ts'
import { type Application, serviceNamed } from '../application/application.ts'
import type { Slot } from '../runtime/runtime.ts'
import { commandTail, quotedCommand, runInService } from './app-command.ts'
import { POSTGRES_SERVICE } from './app-database.ts'
import type { Appliance } from './appliance.ts'
import { keepMigrationLog, listening, migrationLog } from './migration-log.ts'

/** What a migrate check command ends with when there is something to migrate. */
export const MIGRATIONS_PENDING = 10

interface MigrateOptions {
  readonly slot?: Slot
  readonly onLine?: NonNullable<Command['onLine']>
}

/**
 * Runs the migration of a release and asks it whether it is complete. Gives what it said; nothing for an application
 * without one.
 * @throws AppError MIGRATION_FAILED, POSTGRES_UNREACHABLE when its database is why
 */
export async function migrate(
  appliance: Appliance,
  application: Application,
  releaseId: string,
  options: MigrateOptions,
  signal: AbortSignal,
): Promise<string> {
  const { migrate: wanted } = application
  if (!wanted) return ''
  const result = await runKept(appliance, application, releaseId, wanted.run, options, signal)
  if (result.exitCode !== 0)
    throw await migrationFailed(
      appliance,
      application,
      `${quotedCommand(wanted.run)} ${commandTail(result, wanted.timeoutMs)}`,
    )
  if (await isMigrationPending(appliance, application, releaseId, options, signal)) {
    const why = `${quotedCommand(wanted.run)} ended well, but ${quotedCommand(wanted.check)} says that something is left to migrate`
    throw await migrationFailed(appliance, application, why)
  }
  return result.stdout
}

/** Asks a release whether it has something to migrate. @throws AppError as {@link migrate} when it cannot tell */
export async function isMigrationPending(
  appliance: Appliance,
  application: Application,
  releaseId: string,
  options: MigrateOptions,
  signal: AbortSignal,
): Promise<boolean> {
  const { migrate: wanted } = application
  if (!wanted) return false
  const result = await runKept(appliance, application, releaseId, wanted.check, options, signal)
  if (result.exitCode === 0) return false
  if (result.exitCode === MIGRATIONS_PENDING) return true
  throw await migrationFailed(
    appliance,
    application,
    `its check ${quotedCommand(wanted.check)} ${commandTail(result, wanted.timeoutMs)}`,
  )
}

/** Runs a command of the migration. All it says is kept, unless it is a check that could tell. */
async function runKept(
  appliance: Appliance,
  application: Application,
  releaseId: string,
  command: readonly string[],
  { onLine, ...options }: MigrateOptions,
  signal: AbortSignal,
): Promise<CommandResult> {
  const { migrate: wanted, name } = application
  if (!wanted) throw new Error(`${name} has no migration`)
  const service = serviceNamed(application, wanted.service)
  const heard = listening(onLine)
  const limited = { timeoutMs: wanted.timeoutMs, ...options, onLine: heard.onLine }
  let result: CommandResult | undefined
  try {
    result = await runInService(appliance, name, releaseId, service, command, limited, signal)
    return result
  } finally {
    const hasTold = command === wanted.check && [0, MIGRATIONS_PENDING].includes(result?.exitCode ?? -1)
    const title = `${releaseId}: ${quotedCommand(command)}`
    if (!hasTold)
      await keepMigrationLog(appliance, await migrationLog(appliance, name), {
        title,
        lines: heard.lines,
        result,
      })
  }
}

/** Without its database no migration can do its work: then that is the reason, and not what the command makes of it. */
async function migrationFailed(
  appliance: Appliance,
  { name, database }: Application,
  why: string,
): Promise<AppError> {
  const log = await migrationLog(appliance, name)
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
    next: `Correct what it complains about (the release or the data; all it said is in ${log}), then "caretaker up"`,
  })
}
