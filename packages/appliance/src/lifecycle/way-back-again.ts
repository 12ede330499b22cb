import { type ErrorReport, isAppError } from '@caretaker/kernel/errors.ts'
import { MINUTE_MS } from '@caretaker/kernel/time.ts'
import { MIB } from '@caretaker/kernel/units.ts'
import { waitUntil } from '@caretaker/ports/deadline.ts'
import { listOperations, showOperation } from '@caretaker/steps/operations.ts'
import { type OperationResult, type Runner, resumeOperationLocked } from '@caretaker/steps/runner.ts'
import { listAppRecords, readAppRecord } from './app-records.ts'
import type { Appliance } from './appliance.ts'
import { ensurePostgresImage } from './postgres-image.ts'
import { isAboutRelease, wholeRelease } from './whole-release.ts'

/** How long a change waits for an engine that went away under it: the supervisor of the machine starts it anew in seconds. */
const ENGINE_LIMIT_MS = 2 * MINUTE_MS
/** An engine that goes away again and again is a matter for a person. */
const TRIES = 3

/**
 * A way back that only the loss of the engine has stopped is taken again as soon as that answers: nobody is needed for
 * it. Gives how it ended; the given result when there is nothing to try. The caller holds the lock.
 */
export async function wayBackAgain(
  appliance: Appliance,
  runner: Runner,
  app: string,
  result: OperationResult,
): Promise<OperationResult> {
  let last = result
  for (let tries = 0; tries < TRIES; tries++) {
    if (last.outcome !== 'stopped' || !isEngineLost(last.errors)) break
    if (!(await isUnderWay(appliance, app)) || !(await answers(appliance, ENGINE_LIMIT_MS))) break
    last = await resumeOperationLocked(runner, result.operation, 'undo', new AbortController().signal)
  }
  return last
}

/**
 * Takes again the way back of every change that was stopped by the loss of the engine, by a full disk, or because the
 * release to go back to could not be made whole, where the engine answers, there is room, and it is whole now. `signal`
 * ends the try to make it whole.
 */
export async function waysBackAgain(
  appliance: Appliance,
  runner: Runner,
  signal: AbortSignal,
): Promise<readonly OperationResult[]> {
  const { ports, folders, stateFolder } = appliance
  const results: OperationResult[] = []
  for (const app of await listAppRecords(ports.files, folders.apps)) {
    const stopped = await stoppedOperation(appliance, app)
    if (stopped === undefined) continue
    const shown = await showOperation(ports.files, stateFolder, stopped)
    if (!shown || !(await mayGoOn(appliance, app, shown.progress.errors, signal))) continue
    results.push(await resumeOperationLocked(runner, stopped, 'undo', new AbortController().signal))
  }
  return results
}

/** The change of an application that could be neither finished nor taken back. A damaged record is said by who needs it. */
async function stoppedOperation(
  { ports, folders, stateFolder }: Appliance,
  app: string,
): Promise<string | undefined> {
  const record = await readAppRecord(ports.files, folders.apps, app).catch(() => undefined)
  if (!record?.updating) return undefined
  const name = `${record.updating.kind}-${app}`
  const operations = await listOperations(ports.files, stateFolder)
  const newest = operations.find((entry) => entry.name === name)
  return newest?.state === 'stopped' ? newest.operation : undefined
}

async function mayGoOn(
  appliance: Appliance,
  app: string,
  errors: readonly ErrorReport[],
  signal: AbortSignal,
): Promise<boolean> {
  if (isEngineLost(errors)) return answers(appliance, 0)
  const last = errors.at(-1)
  if (last && isAboutRelease(last)) return isWholeNow(appliance, app, signal)
  if (!isDiskFull(errors)) return false
  const { storage } = appliance
  const { availableBytes } = await storage.space()
  return availableBytes >= (await storage.copyBytes(app)) + MARGIN_BYTES
}

/**
 * Whether what the way back starts is here, or can be fetched or built now: a try that must fail is not worth a line in
 * the journal.
 */
async function isWholeNow(appliance: Appliance, app: string, signal: AbortSignal): Promise<boolean> {
  const { updating, databaseCreated } = await readAppRecord(
    appliance.ports.files,
    appliance.folders.apps,
    app,
  )
  if (!updating) return false
  const context = { signal, progress: () => undefined }
  try {
    await wholeRelease(appliance, { app, releaseId: updating.from }, context)
    if (databaseCreated) await ensurePostgresImage(appliance, context)
    return true
  } catch (error) {
    if (isAppError(error)) return false
    throw error
  }
}

/** Room that is worth a try: the start of a Postgres writes a segment of its log (16 MiB) and files. */
const MARGIN_BYTES = 32 * MIB

/** Postgres says in its own words why it could not start. */
const NO_SPACE = /no space left on device/i
function isDiskFull(errors: readonly ErrorReport[]): boolean {
  const last = errors.at(-1)
  if (!last) return false
  return last.code === 'DISK_FULL' || last.code === 'STORAGE_SPACE' || NO_SPACE.test(last.why)
}

/** What stopped a way back stands last. */
const isEngineLost = (errors: readonly ErrorReport[]) => errors.at(-1)?.code === 'ENGINE_UNREACHABLE'

const isUnderWay = async ({ ports, folders }: Appliance, app: string) =>
  (await readAppRecord(ports.files, folders.apps, app)).updating !== undefined

async function answers({ runtime, ports }: Appliance, timeoutMs: number): Promise<boolean> {
  const answered = await waitUntil(ports.clock, { timeoutMs }, () =>
    runtime.list().then(
      () => true,
      (error: unknown) => {
        if (isAppError(error, 'ENGINE_UNREACHABLE')) return undefined
        throw error
      },
    ),
  )
  return answered === true
}
