import { join } from 'node:path'
import type { Files } from '@caretaker/ports/files.ts'
import { type Release, releasesFolder } from './release.ts'

/** The prepared releases of an application, the newest first. */
export async function listReleases(
  files: Pick<Files, 'list' | 'readText'>,
  stateFolder: string,
  app: string,
): Promise<readonly Release[]> {
  const parent = releasesFolder(stateFolder, app)
  const releases: Release[] = []
  for (const { name } of (await files.list(parent)) ?? []) {
    const release = name.startsWith('.') ? undefined : await readRelease(files, join(parent, name))
    if (release) releases.push(release)
  }
  return releases.toSorted((a, b) => (a.builtAt < b.builtAt ? 1 : -1))
}

/** The record of a prepared release; undefined when the folder holds none. */
export async function readRelease(
  files: Pick<Files, 'readText'>,
  folder: string,
): Promise<Release | undefined> {
  const text = await files.readText(join(folder, 'release.json'))
  if (text === undefined) return undefined
  try {
    const value = JSON.parse(text) as Partial<Release>
    return value.format === 1 && typeof value.releaseId === 'string' ? (value as Release) : undefined
  } catch {
    return undefined
  }
}
