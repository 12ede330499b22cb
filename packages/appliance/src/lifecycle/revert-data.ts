import { join } from 'node:path'
import { DAY_MS } from '@caretaker/kernel/time.ts'
import type { StepContext } from '@caretaker/steps/step.ts'
import { POSTGRES_SERVICE, startDatabase } from './app-database.ts'
import { type KeptSnapshot, readAppRecord, updateAppRecord } from './app-records.ts'
import type { Appliance } from './appliance.ts'
import { ensurePostgresImage } from './postgres-image.ts'
import { emptyVolatile } from './rebuild.ts'

/** How long the state that was left is kept for a person to look at. */
export const KEPT_DAYS = 7
/** States of one application that are kept at most, of those that failed and of those that a rollback left each: each may be a whole copy of its data. */
export const KEPT_OF_A_KIND = 2
/** The kinds of which only so many are kept; of a pre-migrate snapshot the newest is. */
const BOUNDED = ['failed', 'before-rollback'] as const

/**
 * Database and files of an application become those of a snapshot again, by switching; what was there is kept,
 * read-only. Its services are stopped. Interrupted anywhere it can be repeated.
 */
export async function revertData(
  appliance: Appliance,
  wanted: {
    readonly app: string
    /** Whose volatile volumes are emptied. */
    readonly releaseId: string
    readonly snapshot: string
    readonly keepAs: string
    readonly kind: KeptSnapshot['kind']
  },
  context: StepContext,
): Promise<void> {
  const { app, releaseId, snapshot, keepAs, kind } = wanted
  const { storage, runtime, ports, folders } = appliance
  const { databaseCreated } = await readAppRecord(ports.files, folders.apps, app)
  if (databaseCreated) await ensurePostgresImage(appliance, context)
  await runtime.stop(app, POSTGRES_SERVICE)
  // What goes on writing would do so in the data that come back.
  await runtime.endStrays(app)
  await storage.switchTo(app, snapshot, keepAs)
  const now = ports.clock.now()
  await keep(appliance, app, {
    snapshot: keepAs,
    kind,
    since: now.toISOString(),
    until: new Date(now.getTime() + KEPT_DAYS * DAY_MS).toISOString(),
  })
  await emptyVolatile(appliance, app, releaseId)
  if (databaseCreated) await startDatabase(appliance, app, context.signal)
}

/** Remembers until when a snapshot is kept. */
export async function keep(appliance: Appliance, app: string, entry: KeptSnapshot): Promise<void> {
  const { ports, folders } = appliance
  const { kept = [] } = await readAppRecord(ports.files, folders.apps, app)
  if (kept.some(({ snapshot }) => snapshot === entry.snapshot)) return
  await updateAppRecord(ports.files, folders.apps, app, { kept: [...kept, entry] })
}

/** Where the logs of a state that is kept lie. */
export const keptLogs = ({ stateFolder }: Appliance, app: string, snapshot: string) =>
  join(stateFolder, 'kept', app, snapshot)

/**
 * What is not kept any longer: its time is over, or {@link KEPT_OF_A_KIND} younger ones of its kind are there. The younger
 * ones are what a second rollback goes to. Pure.
 */
export function keptTooLong(kept: readonly KeptSnapshot[], nowMs: number): readonly KeptSnapshot[] {
  const surplus = new Set(
    BOUNDED.flatMap((bounded) =>
      kept
        .filter(({ kind }) => kind === bounded)
        .toSorted((a, b) => Date.parse(b.since) - Date.parse(a.since))
        .slice(KEPT_OF_A_KIND),
    ),
  )
  return kept.filter((entry) => surplus.has(entry) || Date.parse(entry.until) <= nowMs)
}

/**
 * Removes the snapshots of an application that are kept no longer ({@link keptTooLong}), with their logs. Does not mind
 * what is gone. Gives their names.
 */
export async function expireSnapshots(appliance: Appliance, app: string): Promise<readonly string[]> {
  const { ports, folders, storage } = appliance
  const { kept = [], updating } = await readAppRecord(ports.files, folders.apps, app)
  // What is under way may still need them.
  if (updating) return []
  const nowMs = ports.clock.now().getTime()
  const over = keptTooLong(kept, nowMs)
  for (const { snapshot } of over) {
    if (await storage.hasUnit(app)) await storage.removeSnapshot(app, snapshot)
    await ports.files.remove(keptLogs(appliance, app, snapshot))
  }
  if (over.length > 0)
    await updateAppRecord(ports.files, folders.apps, app, {
      kept: kept.filter((entry) => !over.includes(entry)),
    })
  return over.map(({ snapshot }) => snapshot)
}
