import { AppError } from '@caretaker/kernel/errors.ts'
import { formatDuration, HOUR_MS } from '@caretaker/kernel/time.ts'
import type { EmitEvent } from '@caretaker/steps/events.ts'
import { type Preview, previewPlan } from '@caretaker/steps/preview.ts'
import { adminAddress, databaseAddress, startDatabase } from './app-database.ts'
import { appFolders } from './app-files.ts'
import { type PreviousRelease, readAppRecord, updateAppRecord } from './app-records.ts'
import { findRelease } from './app-release.ts'
import type { Appliance } from './appliance.ts'
import { assertApp } from './apps.ts'
import { type RunningApp, reserveFor, runChange, runningApp, settle, underLock } from './change-release.ts'
import { writeClone } from './clone-records.ts'
import { cloneInput } from './clones.ts'
import { countData, type DataLoss, lossOf, sayLoss } from './count-data.ts'
import type { OpenedAppliance } from './open.ts'
import { applianceSteps } from './plan-up.ts'
import { type Change, planChange } from './plan-update.ts'
import { instantName, readHistory } from './release-history.ts'
import { removeClone } from './remove-clone.ts'
import { sayCancelled } from './say-cancelled.ts'
import { recordOf } from './steps/clone-create.ts'
import type { ChangeReport } from './update-app.ts'

export interface RollbackOptions {
  readonly app: string
  /** Database and files go back too, to what they were before the migration. */
  readonly withData: boolean
  /** The name of the application, typed once more by who knows what will be lost. */
  readonly confirm: string | undefined
  /** Why it goes back, where no person wants that. */
  readonly because?: string
}

export interface RollbackReport extends ChangeReport {
  /** What there was beyond what came back; null where the data stayed. */
  readonly loss: DataLoss | null
}

/**
 * Brings an application back to the release that ran before: its code where that migrated nothing, else code and data
 * together. What would be lost is counted and said first; the state that is left is kept as a snapshot.
 * @throws AppError APP_UNKNOWN, UPDATE_REFUSED, DATA_LOSS_UNCONFIRMED, STORAGE_SPACE, LOCKED: nothing was changed
 */
export async function rollbackApp(
  { appliance }: OpenedAppliance,
  options: RollbackOptions,
  emit: EmitEvent,
  signal: AbortSignal,
): Promise<RollbackReport> {
  const { app } = options
  assertApp(appliance, app)
  return underLock(appliance, `take ${app} back`, signal, async (signal) => {
    const before = await settle(appliance, app, emit, signal)
    const { change, loss } = await decide(appliance, options, signal)
    if (loss && options.confirm !== app) throw unconfirmed(change, loss, options.confirm)
    await reserveFor(appliance, change)
    const result = await runChange(appliance, change, emit, signal)
    const isBegun = result.steps.some(({ id, state }) => id.endsWith('/update.begin') && state !== 'not-run')
    // Where the release could not be prepared nothing that anybody uses was touched.
    const exit_code = !isBegun && result.exit_code === 4 ? 1 : result.exit_code
    const as = { app, version: change.updating.fromVersion, again: change.again }
    const errors = result.outcome === 'undone' ? sayCancelled(result.errors, as) : result.errors
    return {
      nothing_to_do: false,
      app,
      from: change.updating.fromVersion,
      to: change.updating.toVersion,
      migrates: false,
      again: change.again,
      operations: [...before, result],
      errors,
      exit_code,
      loss: loss?.loss ?? null,
    }
  })
}

/** Exactly the steps that {@link rollbackApp} would take now, and what would be lost. @throws as {@link rollbackApp} */
export async function previewRollback(
  { appliance }: OpenedAppliance,
  options: RollbackOptions,
  signal: AbortSignal,
): Promise<{ readonly plan: readonly Preview[]; readonly loss: DataLoss | null }> {
  assertApp(appliance, options.app)
  return underLock(appliance, `look at a way back of ${options.app}`, signal, async (signal) => {
    const { change, loss } = await decide(appliance, options, signal)
    await reserveFor(appliance, change)
    const plan = await previewPlan(applianceSteps(appliance), planChange(appliance, change), signal)
    return { plan: [plan], loss: loss?.loss ?? null }
  })
}

interface CountedLoss {
  readonly loss: DataLoss
  /** ISO 8601 instant of the snapshot. */
  readonly since: string
}

async function decide(
  appliance: Appliance,
  { app, withData, because }: RollbackOptions,
  signal: AbortSignal,
): Promise<{ readonly change: Change; readonly loss: CountedLoss | undefined }> {
  const running = await runningApp(appliance, app)
  const { previous } = running.record
  const refuse = (why: string, next: string) =>
    new AppError('UPDATE_REFUSED', { what: `${app} was not taken back`, why, next })
  if (!previous)
    throw refuse(`no release is known that ran before ${running.version}`, `caretaker app history ${app}`)
  const loaded = await findRelease(appliance, app, previous.releaseId)
  if (!loaded) {
    const next = `Name its source in the config, then "caretaker app update ${app}"`
    throw refuse(`the release ${previous.releaseId} is not on this machine any more`, next)
  }
  const { version } = loaded.application
  if (previous.snapshot === undefined) {
    if (withData) {
      const why = `between ${version} and ${running.version} no data was migrated, so both understand it`
      throw refuse(why, `To go back to ${version} with the data of now: caretaker app rollback ${app}`)
    }
    const change = changeBack(appliance, running, previous, loaded, { kind: 'stays' })
    const updating = { ...change.updating, ...(because === undefined ? {} : { because }) }
    return { change: { ...change, updating }, loss: undefined }
  }
  if (!withData) {
    const why = `${version} does not understand the data of ${running.version}: code and data move together or not at all`
    const both = `To take both back, and see what that loses first: caretaker app rollback ${app} --with-data`
    const last = (await readHistory(appliance.ports.files, appliance.stateFolder, app)).at(-1)
    // What ran before is the newer one: it can migrate what is there.
    const again = `To bring ${version} again, which migrates the data of now: caretaker app update ${app} --to ${nameOf(previous, version)}. `
    throw refuse(why, `${last?.kind === 'rollback' ? again : ''}${both}`)
  }
  const known = await appliance.storage.findSnapshot(app, previous.snapshot)
  if (known?.state !== 'complete') {
    const why = `the snapshot ${previous.snapshot} of its data is not there any more`
    throw refuse(why, 'Bring the data back from a backup')
  }
  const now = appliance.ports.clock.now()
  const id = instantName(now)
  const data = {
    kind: 'goes-back',
    snapshot: previous.snapshot,
    keepAs: `before-rollback-${id}`,
    failedAs: `failed-${id}`,
  } as const
  const loss = await countLoss(appliance, app, previous.snapshot, signal)
  const since = (known.createdAt ?? now).toISOString()
  return { change: changeBack(appliance, running, previous, loaded, data), loss: { loss, since } }
}

function changeBack(
  appliance: Appliance,
  { record, releaseId, version }: RunningApp,
  previous: PreviousRelease,
  { application }: NonNullable<Awaited<ReturnType<typeof findRelease>>>,
  data: Change['data'],
): Change {
  const now = appliance.ports.clock.now()
  return {
    app: record.app,
    application,
    pinned: previous.pinned,
    slots: { from: record.slot, to: record.slot === 'a' ? 'b' : 'a' },
    updating: {
      id: instantName(now),
      kind: 'rollback',
      from: releaseId,
      to: previous.releaseId,
      fromVersion: version,
      toVersion: application.version,
      since: now.toISOString(),
    },
    again: `caretaker app rollback ${record.app}${data.kind === 'stays' ? '' : ` --with-data --confirm ${record.app}`}`,
    data,
  }
}

/** What follows `--to` for the release that ran before. */
const nameOf = ({ pinned: { source } }: PreviousRelease, version: string) =>
  source.kind === 'git' ? (source.ref ?? 'HEAD') : version

/** Counts on a copy of the snapshot, which is there for that moment only and expires by itself when we die. */
async function countLoss(
  appliance: Appliance,
  app: string,
  snapshot: string,
  signal: AbortSignal,
): Promise<DataLoss> {
  const { ports, storage, folders } = appliance
  const wanted = { app, name: undefined, ttlMs: HOUR_MS, allowOutside: true }
  const input = await cloneInput(appliance, wanted, 'ask')
  const { clone } = input
  const { databaseCreated } = await readAppRecord(ports.files, folders.apps, app)
  await storage.reserve(await storage.copyBytes(app))
  const record = recordOf(input, ports.clock.now().toISOString())
  await writeClone(appliance, record)
  try {
    await storage.writableCopy(app, snapshot, clone)
    await ports.files.remove(`${appFolders(appliance, clone).postgres}/postmaster.pid`)
    await updateAppRecord(ports.files, folders.apps, clone, { databaseCreated })
    await writeClone(appliance, { ...record, state: 'copied' })
    const filesOf = (name: string) => `${appFolders(appliance, name).unit}/files`
    if (databaseCreated) await startDatabase(appliance, clone, signal)
    const before = await countData(
      ports,
      databaseCreated ? await asAdmin(appliance, clone) : undefined,
      filesOf(clone),
    )
    const now = await countData(
      ports,
      databaseCreated ? await asAdmin(appliance, app) : undefined,
      filesOf(app),
    )
    return lossOf(now, before)
  } finally {
    await removeClone(appliance, clone)
  }
}

/** The application's database, seen by who may count all of it. */
async function asAdmin(appliance: Appliance, app: string) {
  const { database } = await databaseAddress(appliance, app)
  return adminAddress(appliance, app, database)
}

function unconfirmed(
  { app, updating }: Change,
  { loss, since }: CountedLoss,
  confirm: string | undefined,
): AppError {
  const age = formatDuration(Math.max(0, Date.parse(updating.since) - Date.parse(since)))
  const typed = confirm === undefined ? '' : `; "${confirm}" is not its name`
  return new AppError('DATA_LOSS_UNCONFIRMED', {
    what: `${app} was not taken back to ${updating.toVersion}`,
    why: `everything since ${since} (${age}) would be gone from it: ${sayLoss(loss)}${typed}`,
    next: `The state of now would be kept as a snapshot for 7 days. To do it: caretaker app rollback ${app} --with-data --confirm ${app}`,
  })
}
