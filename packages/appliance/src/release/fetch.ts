import { join } from 'node:path'
import { AppError } from '@caretaker/kernel/errors.ts'
import {
  cachedFolder,
  inTemporary,
  mustBe,
  type SourceOptions,
  type SourcePorts,
  unpackToCache,
} from './cache.ts'
import { checkOutCommit } from './git.ts'
import type { FetchedSource, PinnedSource, Source } from './release.ts'
import { formatSource } from './source.ts'
import { COMPOSE_FILES } from './tree.ts'

/**
 * Brings a pinned source onto this machine and finds its compose file. A folder stays where it is.
 * @throws AppError SOURCE_CHANGED when folder or archive are no longer what was pinned, COMPOSE_NOT_FOUND, and those of
 *   `resolveSource`
 */
export async function fetchSource(
  ports: SourcePorts,
  pinned: PinnedSource,
  options: SourceOptions,
): Promise<FetchedSource> {
  const folder = await placeOf(ports, pinned, options)
  for (const composeFile of COMPOSE_FILES) {
    const info = await ports.files.stat(join(folder, composeFile))
    const composeText =
      info?.kind === 'file' ? await ports.files.readText(join(folder, composeFile)) : undefined
    if (composeText !== undefined) return { ...pinned, folder, composeFile, composeText }
  }
  throw new AppError('COMPOSE_NOT_FOUND', {
    what: `${formatSource(pinned.source)} is no application`,
    why: `it holds none of ${COMPOSE_FILES.join(', ')}`,
    next: 'Name the folder that holds the compose file; for git, "URL#ref:folder"',
  })
}

/** The error for a source that is no longer what its pin says. */
export function sourceChanged(source: Source): AppError {
  return new AppError('SOURCE_CHANGED', {
    what: `${formatSource(source)} was not taken`,
    why: 'it has changed since it was pinned',
    next: 'Repeat the command: it pins what is there now',
  })
}

async function placeOf(
  ports: SourcePorts,
  { source, pin }: PinnedSource,
  options: SourceOptions,
): Promise<string> {
  if (source.kind === 'folder') {
    await mustBe(ports, source, 'folder')
    return source.path
  }
  const cached = cachedFolder(options, pin)
  const isThere = (await ports.files.stat(cached)) !== undefined
  if (source.kind === 'archive') {
    if (!isThere && (await unpackToCache(ports, source.path, options)) !== pin) throw sourceChanged(source)
    return cached
  }
  if (!isThere) await checkOutToCache(ports, source.url, pin, options)
  await refuseLinks(ports, source, cached)
  return join(cached, source.folder ?? '')
}

/** The folder is named by a person, what it is by the repository: a link there could lead to any place of this machine. */
async function refuseLinks(
  { files }: SourcePorts,
  source: Extract<Source, { readonly kind: 'git' }>,
  root: string,
): Promise<void> {
  let path = root
  for (const part of (source.folder ?? '').split('/')) {
    path = join(path, part)
    if ((await files.stat(path))?.kind !== 'link') continue
    throw new AppError('SOURCE_REFUSED', {
      what: `The git repository ${source.url} cannot be used`,
      why: `"${source.folder}" leads over a link`,
      next: 'Name the folder itself, without links on the way',
    })
  }
}

async function checkOutToCache(
  ports: SourcePorts,
  url: string,
  pin: string,
  options: SourceOptions,
): Promise<void> {
  const commit = pin.slice('git:'.length)
  options.progress?.(`Fetch ${url} at ${commit.slice(0, 12)}`)
  await inTemporary(ports, options, async (folder) => {
    await checkOutCommit(ports.processes, url, commit, folder, options)
    await ports.files.remove(join(folder, '.git'))
    if (await ports.files.stat(join(folder, '.gitmodules'))) {
      throw new AppError('SOURCE_REFUSED', {
        what: `The git repository ${url} cannot be used`,
        why: 'it has submodules, which are not fetched',
        next: 'Put what they hold into the repository, or use an archive that holds all of it',
      })
    }
    return cachedFolder(options, pin)
  })
}
