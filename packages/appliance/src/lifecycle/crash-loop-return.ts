import type { OperationResult } from '@caretaker/steps/runner.ts'
import { readAppRecord } from './app-records.ts'
import type { Appliance } from './appliance.ts'
import type { OpenedAppliance } from './open.ts'
import { rollbackApp } from './rollback-app.ts'

/**
 * Takes an application back in code that is in a crash loop soon after an update which migrated nothing; `because` stands
 * in its history. Undefined when it is left as it is: it is not watched any more, or its data was migrated, which a person decides about.
 * @throws AppError as `rollbackApp`
 */
export async function returnFromCrashLoop(
  opened: OpenedAppliance,
  app: string,
  because: string,
  signal: AbortSignal,
): Promise<OperationResult | undefined> {
  const { appliance } = opened
  if (!(await isToReturn(appliance, app))) return undefined
  const report = await rollbackApp(
    opened,
    { app, withData: false, confirm: undefined, because },
    () => undefined,
    signal,
  )
  return report.operations.at(-1)
}

async function isToReturn({ ports, folders, config }: Appliance, app: string): Promise<boolean> {
  if (!Object.hasOwn(config.applications, app)) return false
  const { watchedUntil, previous, updating } = await readAppRecord(ports.files, folders.apps, app)
  if (watchedUntil === undefined || updating || !previous || previous.snapshot !== undefined) return false
  return ports.clock.now().getTime() < Date.parse(watchedUntil)
}

/** The command that takes both code and data back, for the reason of a crash loop; undefined when there is none. */
export async function wayBackOf({ ports, folders }: Appliance, app: string): Promise<string | undefined> {
  const record = await readAppRecord(ports.files, folders.apps, app).catch(() => undefined)
  if (!record?.previous) return undefined
  const withData = record.previous.snapshot === undefined ? '' : ' --with-data'
  return `caretaker app rollback ${app}${withData}`
}
