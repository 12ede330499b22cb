import { AppError, type ErrorReport } from '@caretaker/kernel/errors.ts'
import type { ExitCode } from '@caretaker/kernel/exit-codes.ts'
import { APP_NAME_RULE, isAppName } from '@caretaker/kernel/ids.ts'
import { DAY_MS, formatDuration } from '@caretaker/kernel/time.ts'
import type { EmitEvent } from '@caretaker/steps/events.ts'
import { withOperationLock } from '@caretaker/steps/operation-lock.ts'
import { type Preview, previewPlan } from '@caretaker/steps/preview.ts'
import { type OperationResult, runPlanLocked } from '@caretaker/steps/runner.ts'
import { type CloneRecord, isCloneHostTaken, withClones } from '../config/clone.ts'
import { listAppRecords, readAppRecord } from './app-records.ts'
import { loadRelease } from './app-release.ts'
import { type Appliance, runnerFor } from './appliance.ts'
import { assertApp } from './apps.ts'
import { listCloneNames, listClones, readClone, writeClone } from './clone-records.ts'
import { exitOfTrial } from './exit-of-trial.ts'
import { readFacts } from './facts.ts'
import { assertIsolation } from './isolation.ts'
import { withGuests } from './lock-guests.ts'
import { planClone, planRemoveClones } from './plan-clone.ts'
import { applianceSteps } from './plan-up.ts'
import { publicUrl } from './public-url.ts'
import { type CloneInput, recordOf } from './steps/clone-create.ts'
import { underStoppableLock } from './stop-operation.ts'
import { prepareStateFolder, whyNotStarted } from './up.ts'

/** How long a clone lives unless somebody says otherwise (spec K2). */
export const DEFAULT_TTL_MS = 3 * DAY_MS
/** The longest life of a clone at a time: one that is to stay longer is extended, or is an application. */
export const LONGEST_TTL_MS = 90 * DAY_MS

export interface WantedClone {
  readonly app: string
  /** Default: `APP-clone-1` or the next that is free. */
  readonly name: string | undefined
  readonly ttlMs: number
  readonly allowOutside: boolean
}

/** One clone, as data. */
export interface CloneLine {
  readonly clone: string
  readonly app: string
  readonly release: string
  readonly url: string | null
  readonly state: CloneRecord['state']
  readonly why: CloneRecord['why']
  readonly isolated: boolean
  readonly created_at: string
  readonly expires_at: string
}

export interface CloneReport {
  readonly clone: CloneLine | null
  readonly operations: readonly OperationResult[]
  readonly errors: readonly ErrorReport[]
  readonly exit_code: ExitCode
}

/**
 * What a clone of an application begins with: the release that runs, a name that is free, an end. For whoever plans
 * `clone.create`; `hosts` is NAME.DOMAIN.
 * @throws AppError APP_UNKNOWN, NAME_INVALID, APP_EXISTS, CLONE_REFUSED
 */
export async function cloneInput(
  appliance: Appliance,
  wanted: WantedClone,
  why: CloneRecord['why'] = 'person',
): Promise<CloneInput> {
  const { ports, folders, config } = appliance
  const { app, ttlMs, allowOutside } = wanted
  assertApp(appliance, app)
  if (config.applications[app]?.clone) throw refused(app, 'it is a clone itself', `Clone its origin instead`)
  const { releaseId, pinned } = await readAppRecord(ports.files, folders.apps, app)
  if (releaseId === undefined || !pinned) throw refused(app, 'it has never been started', 'caretaker up')
  assertTtl(ttlMs)
  const clone = await freeName(appliance, app, wanted.name)
  return {
    app,
    clone,
    releaseId,
    pinned: pinned as never,
    hosts: [`${clone}.${config.identity.domain}`],
    expiresAt: new Date(ports.clock.now().getTime() + ttlMs).toISOString(),
    allowOutside,
    why,
  }
}

/**
 * Clones an application: its data of now, started with its own passwords, served at a host name of its own until it
 * expires. What fails is taken back whole.
 * @throws AppError as {@link cloneInput}; CLONE_NOT_ISOLATED, STORAGE_SPACE, STEP_BLOCKED while nothing may run, LOCKED
 */
export async function cloneApp(
  appliance: Appliance,
  wanted: WantedClone,
  emit: EmitEvent,
  signal: AbortSignal,
): Promise<CloneReport> {
  await prepareStateFolder(appliance)
  return underStoppableLock(appliance, `clone ${wanted.app}`, signal, async (signal) => {
    const { plan, input } = await planned(appliance, wanted)
    const runner = runnerFor(appliance, applianceSteps(appliance), emit)
    const result = await withGuests(appliance.stateFolder, () => runPlanLocked(runner, plan, signal))
    const record = await readClone(appliance.ports.files, appliance.stateFolder, input.clone)
    return {
      clone: record ? lineOf(appliance, record) : null,
      operations: [result],
      errors: result.errors,
      exit_code: exitOfTrial(result, 4),
    }
  })
}

/** Exactly the steps {@link cloneApp} would take. @throws as {@link cloneApp} */
export async function previewClone(
  appliance: Appliance,
  wanted: WantedClone,
  signal: AbortSignal,
): Promise<readonly Preview[]> {
  const { plan, imagined } = await planned(appliance, wanted)
  return [await previewPlan(applianceSteps(imagined), plan, signal)]
}

async function planned(appliance: Appliance, wanted: WantedClone) {
  const { ports, stateFolder, storage } = appliance
  const input = await cloneInput(appliance, wanted)
  await assertIsolation(appliance, input.clone, input.allowOutside)
  const why = whyNotStarted(appliance, await readFacts(ports.files, stateFolder))
  if (why !== undefined) {
    const next = `End that first, then: caretaker app clone ${wanted.app}`
    throw new AppError('STEP_BLOCKED', { what: `${wanted.app} was not cloned`, why, next })
  }
  await storage.reserve(await storage.copyBytes(wanted.app))
  const { application } = await loadRelease(appliance, wanted.app, input.releaseId)
  const record = recordOf(input, ports.clock.now().toISOString())
  const clones = await listClones(ports.files, stateFolder)
  const imagined = { ...appliance, config: withClones(appliance.config, [...clones, record]) }
  return { input, imagined, plan: planClone(imagined, input, application) }
}

/** All clones, the oldest first. */
export async function reportClones(appliance: Appliance): Promise<readonly CloneLine[]> {
  const records = await listClones(appliance.ports.files, appliance.stateFolder)
  return records.map((record) => lineOf(appliance, record))
}

/** Lets a clone live for `ttlMs` from now. @throws AppError CLONE_UNKNOWN, CLONE_REFUSED, LOCKED */
export async function extendClone(appliance: Appliance, name: string, ttlMs: number): Promise<CloneLine> {
  const { ports, stateFolder } = appliance
  assertTtl(ttlMs)
  return locked(appliance, `extend the clone ${name}`, async () => {
    const record = await readClone(ports.files, stateFolder, name)
    if (!record) throw await unknownClone(appliance, name)
    const extended = { ...record, expiresAt: new Date(ports.clock.now().getTime() + ttlMs).toISOString() }
    await writeClone(appliance, extended)
    return lineOf(appliance, extended)
  })
}

/** Ends a clone and deletes all of it. @throws AppError CLONE_UNKNOWN, LOCKED */
export async function removeCloneNow(
  appliance: Appliance,
  name: string,
  emit: EmitEvent,
  signal: AbortSignal,
): Promise<CloneReport> {
  await assertClone(appliance, name)
  return locked(appliance, `remove the clone ${name}`, () =>
    removeClonesLocked(appliance, [name], `remove the clone ${name}`, emit, signal),
  )
}

/** Exactly the steps {@link removeCloneNow} would take. @throws AppError CLONE_UNKNOWN */
export async function previewRemoveClone(
  appliance: Appliance,
  name: string,
  signal: AbortSignal,
): Promise<readonly Preview[]> {
  await assertClone(appliance, name)
  const plan = planRemoveClones(appliance, [name], `remove the clone ${name}`)
  return [await previewPlan(applianceSteps(appliance), plan, signal)]
}

/** The clones whose time is over. */
export async function expiredClones({
  ports,
  stateFolder,
}: Pick<Appliance, 'ports' | 'stateFolder'>): Promise<readonly string[]> {
  const now = ports.clock.now().toISOString()
  const records = await listClones(ports.files, stateFolder)
  return records.filter(({ expiresAt }) => expiresAt <= now).map(({ name }) => name)
}

/** Ends clones; does not mind those that are gone. The caller holds the lock. */
export async function removeClonesLocked(
  appliance: Appliance,
  names: readonly string[],
  purpose: string,
  emit: EmitEvent,
  signal: AbortSignal,
): Promise<CloneReport> {
  const runner = runnerFor(appliance, applianceSteps(appliance), emit)
  const result = await runPlanLocked(runner, planRemoveClones(appliance, names, purpose), signal)
  return { clone: null, operations: [result], errors: result.errors, exit_code: result.exit_code }
}

function locked<T>(appliance: Appliance, purpose: string, work: () => Promise<T>): Promise<T> {
  const { ports, stateFolder, actor, pid } = appliance
  return withOperationLock(ports, stateFolder, { actor, purpose, pid }, work)
}

function lineOf(appliance: Appliance, record: CloneRecord): CloneLine {
  return {
    clone: record.name,
    app: record.app,
    release: record.releaseId,
    url: appliance.config.applications[record.name] ? publicUrl(appliance, record.name) : null,
    state: record.state,
    why: record.why,
    isolated: !record.allowOutside,
    created_at: record.createdAt,
    expires_at: record.expiresAt,
  }
}

/** A name that no application, no data and no clone has. */
async function freeName(appliance: Appliance, app: string, wanted: string | undefined): Promise<string> {
  if (wanted !== undefined) {
    if (!isAppName(wanted)) {
      throw new AppError('NAME_INVALID', {
        what: `The clone "${wanted}" was not made`,
        why: APP_NAME_RULE,
        next: 'Choose another name: it becomes part of host names and folders',
      })
    }
    if (!(await isTaken(appliance, wanted))) return wanted
    throw new AppError('APP_EXISTS', {
      what: `The clone ${wanted} was not made`,
      why: `there is an application, a clone, data or a host name of that name, or of mail-${wanted}, where its mails would be read`,
      next: 'Choose another name ("caretaker clone list" shows the clones)',
    })
  }
  for (let number = 1; ; number += 1) {
    const ending = `-clone-${number}`
    const name = `${app.slice(0, 40 - ending.length).replace(/-+$/, '')}${ending}`
    if (!(await isTaken(appliance, name))) return name
  }
}

async function isTaken(appliance: Appliance, name: string): Promise<boolean> {
  const { ports, folders, stateFolder, storage, config } = appliance
  return (
    config.applications[name] !== undefined ||
    isCloneHostTaken(config, name) ||
    (await listCloneNames(ports.files, stateFolder)).includes(name) ||
    (await listAppRecords(ports.files, folders.apps)).includes(name) ||
    (await storage.hasUnit(name))
  )
}

function assertTtl(ttlMs: number): void {
  if (ttlMs > 0 && ttlMs <= LONGEST_TTL_MS) return
  throw new AppError('USAGE', {
    what: 'Nothing was done',
    why: `a clone lives at least a moment and at most ${formatDuration(LONGEST_TTL_MS)} at a time`,
    next: 'Write --ttl 3d, 12h or 90m; "caretaker clone extend" makes it longer later',
  })
}

async function assertClone(appliance: Appliance, name: string): Promise<void> {
  const names = await listCloneNames(appliance.ports.files, appliance.stateFolder)
  if (!names.includes(name)) throw await unknownClone(appliance, name)
}

/** Names the clones that there are. */
export async function unknownClone({ ports, stateFolder }: Appliance, name: string): Promise<AppError> {
  const known = await listCloneNames(ports.files, stateFolder)
  return new AppError('CLONE_UNKNOWN', {
    what: `There is no clone "${name}"`,
    why: known.length === 0 ? 'there are no clones' : `the clones are ${known.join(', ')}`,
    next: known.length === 0 ? 'caretaker app clone APP' : 'caretaker clone list',
  })
}

function refused(app: string, why: string, next: string): AppError {
  return new AppError('CLONE_REFUSED', { what: `${app} was not cloned`, why, next })
}
