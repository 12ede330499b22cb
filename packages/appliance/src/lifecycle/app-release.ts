import { join } from 'node:path'
import { AppError } from '@caretaker/kernel/errors.ts'
import { sha256 } from '@caretaker/kernel/json.ts'
import type { Application } from '../application/application.ts'
import { checkRuntime } from '../application/check-runtime.ts'
import { readDeclarations } from '../application/declarations.ts'
import { parseApplication } from '../application/parse.ts'
import { originOf } from '../config/clone.ts'
import type { Release } from '../release/release.ts'
import { releaseFolder, releaseSourceFolder } from '../release/release.ts'
import type { Appliance } from './appliance.ts'
import { type ReleaseImages, readImages } from './release-images.ts'
import { readStateFile } from './state-file.ts'

export interface LoadedRelease {
  readonly release: Release
  readonly application: Application
  /** Of a release that was prepared for containers. */
  readonly images?: ReleaseImages
}

/**
 * A prepared release with the values of the config put in; undefined when it is not on this machine, or was prepared for
 * another runtime. What the config
 * holds for another release does not count, unless `strict`: then it is refused. A clone runs the releases of its origin.
 */
export async function findRelease(
  appliance: Appliance,
  app: string,
  releaseId: string,
  strict = false,
): Promise<LoadedRelease | undefined> {
  const kept = await findKeptRelease(appliance, app, releaseId, strict)
  if (!kept || appliance.runtime.kind === 'process') return kept
  const images = await readImages(appliance, kept.release, kept.application)
  return images && { ...kept, images }
}

/** {@link findRelease} whether its images are known or not: the folder of the release with its source. */
export async function findKeptRelease(
  appliance: Appliance,
  app: string,
  releaseId: string,
  strict = false,
): Promise<Omit<LoadedRelease, 'images'> | undefined> {
  const { files } = appliance.ports
  const folder = releaseFolder(appliance.stateFolder, originOf(appliance.config, app), releaseId)
  const release = await readStateFile<Release>(files, join(folder, 'release.json'))
  if (!release) return undefined
  const file = join(releaseSourceFolder(appliance.stateFolder, release), release.composeFile)
  const text = await files.readText(file)
  if (text === undefined || (release.runtime ?? 'process') !== appliance.runtime.kind) return undefined
  return { release, application: parseFor(appliance, app, file, text, strict) }
}

/** {@link findRelease} for one that must be there. @throws AppError BUILD_FAILED */
export async function loadRelease(
  appliance: Appliance,
  app: string,
  releaseId: string,
): Promise<LoadedRelease> {
  const loaded = await findRelease(appliance, app, releaseId)
  if (loaded) return loaded
  throw new AppError('BUILD_FAILED', {
    what: `The release ${releaseId} of ${app} cannot be used`,
    why: 'it is not prepared on this machine',
    next: '"caretaker up" prepares it from its source',
  })
}

/** The compose file of an application of this appliance, checked for the runtime in use. */
export function parseFor(
  appliance: Appliance,
  app: string,
  file: string,
  text: string,
  strict: boolean,
): Application {
  const known = parsed.get(appliance.config) ?? new Map<string, Application>()
  parsed.set(appliance.config, known)
  const key = JSON.stringify([app, file, sha256(text), strict, appliance.runtime.kind])
  const application = known.get(key) ?? parseAnew(appliance, app, file, text, strict)
  known.set(key, application)
  return application
}

/** What was parsed with the values of one config: it is asked for at every look at every service. */
const parsed = new WeakMap<Appliance['config'], Map<string, Application>>()

function parseAnew(
  appliance: Appliance,
  app: string,
  file: string,
  text: string,
  strict: boolean,
): Application {
  const { environment = {}, secrets = {} } = appliance.config.applications[app] ?? {}
  const declared = readDeclarations(file, text)
  const application = parseApplication({
    name: app,
    file,
    text,
    environment: strict ? environment : only(environment, declared.environment),
    secrets: strict ? secrets : only(secrets, [...declared.secrets, ...declared.environment]),
  })
  checkRuntime(application, appliance.runtime.kind, file)
  return application
}

function only<T>(map: Readonly<Record<string, T>>, names: readonly string[]): Readonly<Record<string, T>> {
  return Object.fromEntries(Object.entries(map).filter(([name]) => names.includes(name)))
}
