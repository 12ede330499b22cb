import { AppError, isAppError, toAppError } from '@caretaker/kernel/errors.ts'
import type { EmitEvent } from '@caretaker/steps/events.ts'
import { resumeInterrupted } from '@caretaker/steps/operations.ts'
import { type OperationResult, runPlanLocked } from '@caretaker/steps/runner.ts'
import { type AppRecord, readAppRecord, updateAppRecord } from './app-records.ts'
import { loadRelease } from './app-release.ts'
import { type Appliance, runnerFor } from './appliance.ts'
import { clearFailure, readFacts, replaceFailure, updateFacts } from './facts.ts'
import { withGuests } from './lock-guests.ts'
import { applianceSteps } from './plan-up.ts'
import { type Change, planChange } from './plan-update.ts'
import { endHolds, refreshGateway } from './refresh-gateway.ts'
import { expireSnapshots } from './revert-data.ts'
import { underStoppableLock } from './stop-operation.ts'
import { assertNoUnfinishedUpdate } from './unfinished-update.ts'
import { prepareStateFolder, whyNotStarted } from './up.ts'
import { wayBackAgain, waysBackAgain } from './way-back-again.ts'

/** An application whose release can be changed. */
export interface RunningApp {
  readonly record: AppRecord
  readonly releaseId: string
  readonly version: string
}

/** {@link underStoppableLock} on a state folder that is made where there is none yet. */
export async function underLock<T>(
  appliance: Appliance,
  purpose: string,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  await prepareStateFolder(appliance)
  return underStoppableLock(appliance, purpose, signal, work)
}

/** What a crash has left unfinished is dealt with before anything new begins. @throws AppError UPDATE_UNFINISHED */
export async function settle(
  appliance: Appliance,
  app: string,
  emit: EmitEvent,
  signal: AbortSignal,
): Promise<readonly OperationResult[]> {
  const runner = runnerFor(appliance, applianceSteps(appliance), emit)
  const interrupted = await resumeInterrupted(runner, signal)
  const results = [...interrupted, ...(await waysBackAgain(appliance, runner, signal))]
  await assertNoUnfinishedUpdate(appliance, app)
  return results
}

/** @throws AppError UPDATE_REFUSED for an application that never ran, or may not run now */
export async function runningApp(appliance: Appliance, app: string): Promise<RunningApp> {
  const { ports, stateFolder, folders } = appliance
  const record = await readAppRecord(ports.files, folders.apps, app)
  const notNow = whyNotStarted(appliance, await readFacts(ports.files, stateFolder))
  const refuse = (why: string, next: string) =>
    new AppError('UPDATE_REFUSED', { what: `${app} was not changed`, why, next })
  if (notNow !== undefined) throw refuse(notNow, 'End that first, then repeat the command')
  if (record.releaseId === undefined)
    throw refuse('it has never run here', '"caretaker up" starts it with what its source holds now')
  if (record.stopped) throw refuse('it was stopped', `caretaker app restart ${app}`)
  const { application } = await loadRelease(appliance, app, record.releaseId)
  return { record, releaseId: record.releaseId, version: application.version }
}

/**
 * The snapshot, and one more copy for the way back, must fit before anything begins; the way back itself asks for nothing.
 * @throws AppError STORAGE_SPACE
 */
export async function reserveFor(appliance: Appliance, { app, data }: Change): Promise<void> {
  if (data.kind !== 'stays') await reserveCopies(appliance, app)
}

/** What {@link reserveFor} asks for a change that touches the data. @throws AppError STORAGE_SPACE */
export async function reserveCopies({ storage }: Appliance, app: string): Promise<void> {
  await storage.reserve(2 * (await storage.copyBytes(app)))
}

/** Runs a change; afterwards the state says how the application stands. The caller holds the lock. */
export async function runChange(
  appliance: Appliance,
  change: Change,
  emit: EmitEvent,
  signal: AbortSignal,
): Promise<OperationResult> {
  const { ports, stateFolder } = appliance
  const { app } = change
  const since = ports.clock.now().toISOString()
  await updateFacts(ports.files, stateFolder, () => ({
    activity: { kind: 'updating', since, serving: true },
  }))
  try {
    const runner = runnerFor(appliance, applianceSteps(appliance), emit)
    // While its data changes nobody else starts anything of it.
    const spared = change.data.kind === 'stays' ? undefined : app
    return await withGuests(
      stateFolder,
      async () => {
        const tried = await runPlanLocked(runner, planChange(appliance, change), signal)
        const result = await wayBackAgain(appliance, runner, app, tried)
        await rememberOutcome(appliance, app)
        await rememberWhy(appliance, change, result)
        return result
      },
      spared,
    )
  } finally {
    await updateFacts(ports.files, stateFolder, () => ({ activity: undefined }))
    await refreshGateway(appliance).catch(() => undefined)
    await endHolds(appliance).catch(() => undefined)
  }
}

/** Why an update was taken back; that a person or a stopping daemon ended it says nothing about its release. */
async function rememberWhy(
  { ports, folders }: Appliance,
  { app, updating }: Change,
  { errors: [error] }: OperationResult,
): Promise<void> {
  const { takenBack } = await readAppRecord(ports.files, folders.apps, app)
  if (!error || updating.kind !== 'update' || takenBack?.releaseId !== updating.to) return
  const why = `its update was taken back: ${error.what}: ${error.why}`
  await updateAppRecord(ports.files, folders.apps, app, {
    takenBack: error.code === 'CANCELLED' ? undefined : { ...takenBack, why },
  })
}

/**
 * What could be neither finished nor taken back is the failure of its application until a person has dealt with it.
 * Otherwise snapshots that nothing needs any more go.
 */
export async function rememberOutcome(appliance: Appliance, app: string): Promise<void> {
  const { ports, stateFolder } = appliance
  try {
    await assertNoUnfinishedUpdate(appliance, app)
  } catch (error) {
    if (!isAppError(error, 'UPDATE_UNFINISHED')) throw error
    const at = ports.clock.now().toISOString()
    const report = toAppError(error).toReport()
    await updateFacts(ports.files, stateFolder, ({ failures }) => ({
      failures: replaceFailure(failures, app, report, at),
    }))
    return
  }
  await updateFacts(ports.files, stateFolder, ({ failures }) =>
    failures[app]?.code === 'UPDATE_UNFINISHED' ? { failures: clearFailure(failures, app) } : {},
  )
  await expireSnapshots(appliance, app)
}
