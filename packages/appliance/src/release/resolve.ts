import { mustBe, pinOf, type SourceOptions, type SourcePorts, unpackToCache } from './cache.ts'
import { resolveCommit } from './git.ts'
import type { PinnedSource, Source } from './release.ts'

/**
 * Finds out what exactly the source is now: the commit, or the hash over its contents.
 * @throws AppError SOURCE_NOT_FOUND, SOURCE_REFUSED, COMMAND_NOT_FOUND (no git or tar)
 */
export async function resolveSource(
  ports: SourcePorts,
  source: Source,
  options: SourceOptions,
): Promise<PinnedSource> {
  switch (source.kind) {
    case 'git':
      return { source, pin: `git:${await resolveCommit(ports.processes, source.url, source.ref, options)}` }
    case 'folder':
      await mustBe(ports, source, 'folder')
      return { source, pin: await pinOf(ports, source.path) }
    case 'archive':
      await mustBe(ports, source, 'file')
      return { source, pin: await unpackToCache(ports, source.path, options) }
  }
}
