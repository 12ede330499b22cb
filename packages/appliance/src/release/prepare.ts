import { dirname, join } from 'node:path'
import { AppError } from '@caretaker/kernel/errors.ts'
import { sha256 } from '@caretaker/kernel/json.ts'
import { writeJsonDurably } from '@caretaker/ports/durable.ts'
import type { Ports } from '@caretaker/ports/ports.ts'
import type { Application } from '../application/application.ts'
import { sourceChanged } from './fetch.ts'
import { makeReadOnlyForOthers, syncTree } from './harden.ts'
import { type BuildTools, installDependencies } from './install.ts'
import { readRelease } from './list.ts'
import { type FetchedSource, type Release, releaseFolder, releaseIdOf } from './release.ts'
import { hashTree, listTree, type TreeEntry } from './tree.ts'

export interface PrepareInput {
  readonly stateFolder: string
  /** Made from the compose file of {@link PrepareInput.fetched}. */
  readonly application: Application
  readonly fetched: FetchedSource
  /** What installs the dependencies of the build contexts. Undefined: their images are built, by somebody else. */
  readonly tools: BuildTools | undefined
  /** Version of caretaker. */
  readonly builtBy: string
  readonly signal?: AbortSignal
  readonly progress?: (message: string) => void
}

type PreparePorts = Pick<Ports, 'files' | 'processes' | 'clock'>

/**
 * Makes the release folder: the source as pinned, and the production dependencies of every build context. It is built
 * beside its place and renamed when whole and on disk, so a half-made one is never taken. Repeating it changes nothing.
 * Everything is readable by all and writable by its owner only.
 * @throws AppError SOURCE_CHANGED, BUILD_FAILED with the last lines of the build; nothing stays behind.
 */
export async function prepareRelease(ports: PreparePorts, input: PrepareInput): Promise<Release> {
  const { application, fetched, stateFolder } = input
  const { files, processes } = ports
  const releaseId = releaseIdOf(application.version, fetched.pin)
  const folder = releaseFolder(stateFolder, application.name, releaseId)
  const present = await readRelease(files, folder)
  if (present && (present.runtime === 'docker') === (input.tools === undefined)) return present

  const parent = dirname(folder)
  const temporary = join(parent, `.${releaseId}.tmp`)
  await files.remove(temporary)
  // Without release.json it is no release, whatever else it holds.
  await files.remove(folder)
  await files.makeFolder(join(temporary, 'source'), 0o755)
  try {
    await copySource(ports, fetched, join(temporary, 'source'), input.progress)
    const lockHashes = await buildContexts(ports, input, join(temporary, 'source'))
    const runtime = input.tools ? {} : ({ runtime: 'docker' } as const)
    const release: Release = {
      format: 1,
      app: application.name,
      version: application.version,
      releaseId,
      source: fetched.source,
      pin: fetched.pin,
      composeFile: fetched.composeFile,
      composeHash: sha256(fetched.composeText),
      lockHashes,
      ...runtime,
      builtAt: ports.clock.now().toISOString(),
      builtBy: input.builtBy,
    }
    await writeJsonDurably(files, join(temporary, 'release.json'), release, 0o644)
    await makeReadOnlyForOthers(processes, temporary, input.signal)
    await syncTree(processes, temporary, input.signal)
    await files.rename(temporary, folder)
    await files.sync(parent)
    return release
  } catch (error) {
    await files.remove(temporary)
    throw error
  }
}

async function copySource(
  { files }: Pick<Ports, 'files'>,
  fetched: FetchedSource,
  target: string,
  progress: PrepareInput['progress'],
): Promise<void> {
  const entries = await listTree(files, fetched.folder)
  progress?.(`Copy ${entries.length} files`)
  for (const entry of entries) await copyEntry(files, entry, fetched.folder, target)
  const copied = await listTree(files, target)
  const hasChanged =
    fetched.pin.startsWith('sha256:') && `sha256:${await hashTree(files, target, copied)}` !== fetched.pin
  const composeText = await files.readText(join(target, fetched.composeFile))
  if (hasChanged || composeText !== fetched.composeText) throw sourceChanged(fetched.source)
}

async function copyEntry(files: Ports['files'], entry: TreeEntry, from: string, to: string): Promise<void> {
  const path = join(to, entry.path)
  await files.makeFolder(dirname(path), 0o755)
  if (entry.kind === 'link') await files.link(entry.target, path)
  else await files.write(path, await files.read(join(from, entry.path)), entry.executable ? 0o755 : 0o644)
}

async function buildContexts(
  ports: PreparePorts,
  { application, tools, stateFolder, signal, progress }: PrepareInput,
  source: string,
): Promise<Readonly<Record<string, string>>> {
  const contexts = [
    ...new Set(application.services.flatMap(({ build }) => (build ? [build.context] : []))),
  ].toSorted()
  const lockHashes: Record<string, string> = {}
  for (const context of contexts) {
    const folder = join(source, context)
    if (!(await isRealFolder(ports.files, source, context))) throw noContext(application.name, context)
    if (!tools) continue
    const lockHash = await installDependencies(ports, {
      app: application.name,
      context,
      folder,
      cacheFolder: join(stateFolder, 'cache', 'build'),
      tools,
      ...(signal ? { signal } : {}),
      ...(progress ? { progress } : {}),
    })
    if (lockHash !== undefined) lockHashes[context] = lockHash
  }
  return lockHashes
}

/** A folder of the source itself: over a link, what builds it would work somewhere else. */
async function isRealFolder(files: Ports['files'], source: string, context: string): Promise<boolean> {
  let path = source
  for (const part of context.split('/')) {
    path = join(path, part)
    if ((await files.stat(path))?.kind !== 'folder') return false
  }
  return true
}

function noContext(app: string, context: string): AppError {
  return new AppError('BUILD_FAILED', {
    what: `The release of ${app} was not built`,
    why: `the source has no folder "${context}" (a link is none), which a service names as its build context`,
    next: 'Correct "build.context" in the compose file, or ".dockerignore"',
  })
}
