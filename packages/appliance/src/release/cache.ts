import { dirname, join } from 'node:path'
import { AppError } from '@caretaker/kernel/errors.ts'
import { readableId } from '@caretaker/kernel/ids.ts'
import type { Ports } from '@caretaker/ports/ports.ts'
import { unpackArchive } from './archive.ts'
import type { FetchOptions } from './git.ts'
import { syncTree } from './harden.ts'
import type { Source } from './release.ts'
import { hashTree, listTree } from './tree.ts'

export interface SourceOptions extends FetchOptions {
  /** Folder for what was fetched; may be removed at any time between operations. */
  readonly cacheFolder: string
}

export type SourcePorts = Pick<Ports, 'files' | 'processes'>

/** Where the files of a git commit or archive lie once they were fetched. */
export function cachedFolder({ cacheFolder }: SourceOptions, pin: string): string {
  return join(cacheFolder, pin.replace(':', '-'))
}

/** Unpacks an archive into the cache. @returns the pin of what came out. */
export async function unpackToCache(
  ports: SourcePorts,
  archive: string,
  options: SourceOptions,
): Promise<string> {
  let pin = ''
  await inTemporary(ports, options, async (folder) => {
    await unpackArchive(ports.processes, archive, folder, options)
    pin = await pinOf(ports, folder)
    return cachedFolder(options, pin)
  })
  return pin
}

/** Fills a new folder and, when it is whole, gives it the name that `work` returns. Nothing stays after an error. */
export async function inTemporary(
  { files, processes }: SourcePorts,
  { cacheFolder, signal }: SourceOptions,
  work: (folder: string) => Promise<string>,
): Promise<void> {
  const folder = join(cacheFolder, `${readableId(8)}.tmp`)
  await files.makeFolder(folder, 0o700)
  try {
    const final = await work(folder)
    await syncTree(processes, folder, signal)
    if ((await files.stat(final)) === undefined) await files.rename(folder, final)
    await files.sync(dirname(final))
  } finally {
    await files.remove(folder)
  }
}

/** What a folder is known by: `sha256:` and the hash over its contents. */
export async function pinOf(ports: Pick<Ports, 'files'>, folder: string): Promise<string> {
  return `sha256:${await hashTree(ports.files, folder, await listTree(ports.files, folder))}`
}

/** @throws AppError SOURCE_NOT_FOUND when there is no such folder or file at the path of the source. */
export async function mustBe(
  { files }: SourcePorts,
  source: Extract<Source, { readonly path: string }>,
  kind: 'file' | 'folder',
): Promise<void> {
  const isThere =
    kind === 'folder'
      ? (await files.list(source.path)) !== undefined
      : ((await files.stat(source.path))?.kind ?? 'folder') !== 'folder'
  if (isThere) return
  throw new AppError('SOURCE_NOT_FOUND', {
    what: `${source.path} cannot be used as a source`,
    why: `there is no ${kind} at this path`,
    next: 'Check the path: a relative one counts from the folder of the config file or, in a command, from where it is typed',
  })
}
