import { join } from 'node:path'
import type { Files } from '@caretaker/ports/files.ts'
import { releasesFolder } from './release.ts'

/**
 * Removes the prepared releases of an application that are not in `keep`, and what interrupted builds left behind.
 * Each is renamed first, so that a half-removed one is never taken for a release.
 * @returns the ids that were removed.
 */
export async function removeReleases(
  files: Pick<Files, 'list' | 'rename' | 'remove' | 'sync'>,
  stateFolder: string,
  app: string,
  keep: readonly string[],
): Promise<readonly string[]> {
  const parent = releasesFolder(stateFolder, app)
  const names = ((await files.list(parent)) ?? []).map(({ name }) => name)
  for (const leftover of names.filter((name) => name.startsWith('.')))
    await files.remove(join(parent, leftover))
  const unreachable = names.filter((name) => !name.startsWith('.') && !keep.includes(name))
  for (const releaseId of unreachable) {
    const going = join(parent, `.${releaseId}.removed`)
    await files.rename(join(parent, releaseId), going)
    await files.sync(parent)
    await files.remove(going)
  }
  return unreachable
}
