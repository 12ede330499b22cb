import { isAbsolute, join, resolve } from 'node:path'
import { AppError } from '@caretaker/kernel/errors.ts'
import { APP_NAME_RULE, isAppName } from '@caretaker/kernel/ids.ts'
import { sha256 } from '@caretaker/kernel/json.ts'
import type { EmitEvent } from '@caretaker/steps/events.ts'
import { withOperationLock } from '@caretaker/steps/operation-lock.ts'
import { type Preview, previewPlan } from '@caretaker/steps/preview.ts'
import { runPlanLocked } from '@caretaker/steps/runner.ts'
import { readDeclarations } from '../application/declarations.ts'
import { editApplications } from '../config/edit.ts'
import { parseConfig } from '../config/parse.ts'
import { fetchSource } from '../release/fetch.ts'
import { resolveSource } from '../release/resolve.ts'
import { parseSource } from '../release/source.ts'
import { listAppRecords, readAppRecord, updateAppRecord } from './app-records.ts'
import { type Appliance, openAppliance, runnerFor } from './appliance.ts'
import { listClones } from './clone-records.ts'
import { readFacts } from './facts.ts'
import { writeConfig } from './keep-config.ts'
import { type OpenedAppliance, openWithFile } from './open.ts'
import { applianceSteps, planRemoveApp, planStopApp } from './plan-up.ts'
import { previewUp } from './preview-up.ts'
import { refreshGateway } from './refresh-gateway.ts'
import { runningServices } from './stop-apps.ts'
import { prepareStateFolder, type UpReport, upLocked, whyNotStarted } from './up.ts'
import { sourceOptions, wantedRelease } from './wanted-release.ts'

export interface NewApp {
  readonly name: string
  /** Folder, archive or git URL, as typed. */
  readonly source: string
  readonly ref: string | undefined
  readonly hosts: readonly string[] | undefined
  readonly environment: Readonly<Record<string, string>>
  /** Relative paths are below it. */
  readonly workingFolder: string
}

interface AddedApp {
  readonly appliance: Appliance
  /** Undefined: the config names it already. */
  readonly configText: string | undefined
}

/**
 * Adds an application to the config and starts it. Its source is looked at first: what cannot be used changes nothing.
 * @throws AppError APP_EXISTS, NAME_INVALID, SOURCE_…, COMPOSE_…, CONFIG_…, LOCKED
 */
export async function addApp(
  opened: OpenedAppliance,
  wanted: NewApp,
  emit: EmitEvent,
  signal: AbortSignal,
): Promise<UpReport> {
  const { appliance } = opened
  const { ports, stateFolder, actor, pid } = appliance
  await prepareStateFolder(appliance)
  return withOperationLock(ports, stateFolder, { actor, purpose: `add ${wanted.name}`, pid }, async () => {
    const added = await withApp(await asItIsNow(opened), wanted, signal)
    await wantedRelease(added.appliance, wanted.name, signal)
    if (added.configText !== undefined) await putText(appliance, added.configText)
    const report = await upLocked(added.appliance, { firstStart: false, only: wanted.name }, emit, signal)
    const keeps = `${wanted.name} is in the config now: "caretaker up" goes on with it, "caretaker app remove ${wanted.name}" takes it out`
    return {
      ...report,
      errors: report.errors.map((error) => ({ ...error, next: `${error.next}. ${keeps}` })),
    }
  })
}

/** Exactly the steps {@link addApp} would take. @throws as {@link addApp} */
export async function previewAddApp(
  opened: OpenedAppliance,
  wanted: NewApp,
  signal: AbortSignal,
): Promise<readonly Preview[]> {
  const { appliance } = await withApp(opened, wanted, signal)
  // What cannot be used is refused here as it is there.
  await wantedRelease(appliance, wanted.name, signal)
  return previewUp(appliance, { firstStart: false, only: wanted.name }, signal)
}

/** @throws AppError NAME_INVALID for what no application can be called */
export function checkNewName(name: string): void {
  if (isAppName(name)) return
  throw new AppError('NAME_INVALID', {
    what: `The application "${name}" was not added`,
    why: APP_NAME_RULE,
    next: 'Choose another name: it becomes part of host names and folders',
  })
}

/** The appliance as it is with one more application in its config. */
async function withApp(
  { appliance, loaded }: OpenedAppliance,
  wanted: NewApp,
  signal: AbortSignal,
): Promise<AddedApp> {
  checkNewName(wanted.name)
  const { ports } = appliance
  const source = absoluteSource(wanted)
  if (await isRepeated(appliance, wanted, source))
    return { appliance: await openAppliance(appliance, loaded.config, loaded.file), configText: undefined }
  const parsed = parseSource({ text: source, ref: wanted.ref, baseFolder: wanted.workingFolder })
  const options = sourceOptions(appliance, signal)
  const fetched = await fetchSource(ports, await resolveSource(ports, parsed, options), options)
  const { secrets } = readDeclarations(join(fetched.folder, fetched.composeFile), fetched.composeText)
  const configText = editApplications(
    loaded.text,
    {
      action: 'add',
      name: wanted.name,
      application: {
        source,
        ref: wanted.ref,
        hosts: wanted.hosts,
        environment: wanted.environment,
        secretNames: secrets,
      },
    },
    loaded.file,
  )
  const { config } = parseConfig(configText, loaded.file)
  return { appliance: await openAppliance(appliance, config, loaded.file), configText }
}

/** Whether the same was added before and never ran: the command goes on then, as one that is repeated should. */
async function isRepeated(
  { config, ports, folders }: Appliance,
  { name, ref, hosts, environment }: NewApp,
  source: string,
): Promise<boolean> {
  const entry = config.applications[name]
  if (!entry || entry.clone || entry.source !== source || entry.ref !== ref) return false
  const { releaseId } = await readAppRecord(ports.files, folders.apps, name)
  if (releaseId !== undefined || (hosts && hosts.join() !== entry.hosts.join())) return false
  return Object.entries(environment).every(([key, value]) => entry.environment[key] === value)
}

/** A relative folder is meant from where the command was typed; in the config it must not depend on that. */
function absoluteSource({ source, workingFolder }: NewApp): string {
  if (/^[a-z0-9.-]+(:\d+)?(\/[\w.-]+)*(:[\w.-]+|@sha256:\w+)$/i.test(source)) return source
  const isPath = source.startsWith('.') || isAbsolute(source) || !/^[a-z][a-z0-9+.-]*:|@/i.test(source)
  return isPath && source !== '' && !source.startsWith('-') ? resolve(workingFolder, source) : source
}

/** The config may have been changed between the reading of it and the lock. */
async function asItIsNow({ appliance, loaded }: OpenedAppliance): Promise<OpenedAppliance> {
  return openWithFile(appliance, loaded.file)
}

async function putText({ ports, configFile, stateFolder }: Appliance, text: string): Promise<void> {
  const { config } = parseConfig(text, configFile)
  await writeConfig(ports, stateFolder, { config, file: configFile, text, hash: sha256(text) })
}

export interface RemoveOptions {
  readonly name: string
  /** Delete the data too. The name must have been typed once more. */
  readonly data: boolean
  readonly confirm: string | undefined
}

/**
 * Stops an application and takes it out of the config. Its data stays unless its name was typed once more.
 * @throws AppError APP_UNKNOWN, APP_NAME_MISMATCH, LOCKED
 */
export async function removeApp(
  opened: OpenedAppliance,
  options: RemoveOptions,
  emit: EmitEvent,
  signal: AbortSignal,
): Promise<UpReport> {
  const { ports, stateFolder, actor, pid } = opened.appliance
  await assertRemovable(opened.appliance, options)
  return withOperationLock(
    ports,
    stateFolder,
    { actor, purpose: `remove ${options.name}`, pid },
    async () => {
      // First out of the config: killed half-way it is not started again, and the removal can be repeated.
      const appliance = await withoutApp(await asItIsNow(opened), options.name)
      const registry = applianceSteps(appliance)
      const result = await runPlanLocked(
        runnerFor(appliance, registry, emit),
        await removalPlan(appliance, options),
        signal,
      )
      return {
        nothing_to_do: false,
        operations: [result],
        errors: result.errors,
        warnings: [],
        not_started: null,
        exit_code: result.exit_code,
      }
    },
  )
}

/** The appliance with the application taken out of its config. The gateway follows when it runs. */
async function withoutApp({ appliance, loaded }: OpenedAppliance, name: string): Promise<Appliance> {
  if (!Object.hasOwn(appliance.config.applications, name)) return appliance
  const text = editApplications(loaded.text, { action: 'remove', name }, loaded.file)
  await putText(appliance, text)
  const { config } = parseConfig(text, loaded.file)
  const changed = await openAppliance(appliance, config, loaded.file)
  // One that does not run is given its config when it is started.
  await refreshGateway(changed).catch(() => undefined)
  return changed
}

/** What {@link removeApp} would do. @throws as {@link removeApp} */
export async function previewRemoveApp(
  { appliance }: OpenedAppliance,
  options: RemoveOptions,
  signal: AbortSignal,
): Promise<readonly Preview[]> {
  await assertRemovable(appliance, options)
  return [await previewPlan(applianceSteps(appliance), await removalPlan(appliance, options), signal)]
}

async function removalPlan(appliance: Appliance, { name, data }: RemoveOptions) {
  return planRemoveApp(appliance, name, (await runningServices(appliance)).get(name) ?? [], data)
}

async function assertRemovable(appliance: Appliance, { name, data, confirm }: RemoveOptions): Promise<void> {
  const records = await listAppRecords(appliance.ports.files, appliance.folders.apps)
  if (!Object.hasOwn(appliance.config.applications, name) && !records.includes(name))
    throw unknownApp(appliance, name)
  await assertNoClones(appliance, name)
  if (data && confirm !== name) {
    throw new AppError('APP_NAME_MISMATCH', {
      what: `Nothing of ${name} was removed`,
      why: confirm === undefined ? 'its data would be deleted for good' : `"${confirm}" is not its name`,
      next: `To delete the data too: caretaker app remove ${name} --data --confirm ${name}`,
    })
  }
}

async function assertNoClones({ config, ports, stateFolder }: Appliance, name: string): Promise<void> {
  const clones = (await listClones(ports.files, stateFolder)).filter(
    (clone) => clone.app === name || clone.name === name,
  )
  const [first] = clones
  if (!first) return
  const isClone = config.applications[name]?.clone !== undefined
  throw new AppError('CLONE_REFUSED', {
    what: `${name} was not removed`,
    why: isClone
      ? 'it is a clone'
      : `there are clones of it: ${clones.map((clone) => clone.name).join(', ')}`,
    next: `caretaker clone remove ${first.name}`,
  })
}

/** @throws AppError APP_UNKNOWN */
export function assertApp(appliance: Appliance, name: string): void {
  if (!Object.hasOwn(appliance.config.applications, name)) throw unknownApp(appliance, name)
}

function unknownApp(appliance: Appliance, name: string): AppError {
  const known = Object.keys(appliance.config.applications)
  return new AppError('APP_UNKNOWN', {
    what: `There is no application "${name}"`,
    why: known.length === 0 ? 'the config names none' : `the config names ${known.join(', ')}`,
    next: known.length === 0 ? 'caretaker app add NAME SOURCE' : 'caretaker app list',
  })
}

/** Stops the services of an application and starts them again, Postgres not. @throws AppError APP_UNKNOWN, STEP_BLOCKED while none may run, LOCKED */
export async function restartApp(
  { appliance }: OpenedAppliance,
  name: string,
  emit: EmitEvent,
  signal: AbortSignal,
): Promise<UpReport> {
  assertApp(appliance, name)
  const { ports, stateFolder, folders, actor, pid } = appliance
  const why = whyNotStarted(appliance, await readFacts(ports.files, stateFolder))
  if (why !== undefined) {
    const next = `End that first, then: caretaker app restart ${name}`
    throw new AppError('STEP_BLOCKED', { what: `${name} was not restarted`, why, next })
  }
  return withOperationLock(ports, stateFolder, { actor, purpose: `restart ${name}`, pid }, async () => {
    const services = (await runningServices(appliance)).get(name) ?? []
    const plan = planStopApp(appliance, name, services, { database: false, purpose: `stop ${name}` })
    const stopped = await runPlanLocked(runnerFor(appliance, applianceSteps(appliance), emit), plan, signal)
    if ((await readAppRecord(ports.files, folders.apps, name)).stopped) {
      await updateAppRecord(ports.files, folders.apps, name, { stopped: false })
    }
    const report = await upLocked(appliance, { firstStart: false, only: name }, emit, signal)
    return {
      ...report,
      nothing_to_do: false,
      operations: [stopped, ...report.operations],
      errors: [...stopped.errors, ...report.errors],
      exit_code: stopped.outcome === 'done' ? report.exit_code : stopped.exit_code,
    }
  })
}
