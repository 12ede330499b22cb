import type { Files } from '@caretaker/ports/files.ts'

const WRITE_BITS = 0o222

/** Permission bits of the folders that {@link seal} closes, by path relative to the content ("." is the content). */
export type FolderModes = Readonly<Record<string, number>>

/** The modes of the content folder and of the folders down to `files/VOLUME`. Taken before sealing. */
export async function readModes(files: Pick<Files, 'list' | 'stat'>, content: string): Promise<FolderModes> {
  const modes: Record<string, number> = {}
  const visit = async (path: string, depth: number): Promise<void> => {
    const info = await files.stat(`${content}/${path}`)
    if (info?.kind !== 'folder') return
    modes[path] = info.mode
    if (depth === 0) return
    for (const entry of (await files.list(`${content}/${path}`)) ?? []) {
      if (entry.kind === 'folder') await visit(path === '.' ? entry.name : `${path}/${entry.name}`, depth - 1)
    }
  }
  await visit('.', 2)
  return modes
}

/**
 * Takes the write permission from the folders in `modes`: a Postgres started there by mistake stops at its lock
 * file, and nothing can be added to or removed from a volume. A file system without snapshots can do no more;
 * root passes it.
 */
export async function seal(
  files: Pick<Files, 'setMode'>,
  content: string,
  modes: FolderModes,
): Promise<void> {
  for (const [path, mode] of Object.entries(modes))
    await files.setMode(`${content}/${path}`, mode & ~WRITE_BITS)
}

/** Gives a copy of sealed content its modes back. */
export async function unseal(
  files: Pick<Files, 'setMode' | 'sync'>,
  content: string,
  modes: FolderModes,
): Promise<void> {
  for (const [path, mode] of Object.entries(modes)) {
    await files.setMode(`${content}/${path}`, mode)
    await files.sync(`${content}/${path}`)
  }
}

/** Removes a tree whose folders may lack the write permission; nothing when it is gone. */
export async function removeSealed(
  files: Pick<Files, 'list' | 'stat' | 'setMode' | 'remove'>,
  path: string,
): Promise<void> {
  await makeRemovable(files, path)
  await files.remove(path)
}

async function makeRemovable(files: Pick<Files, 'list' | 'stat' | 'setMode'>, path: string): Promise<void> {
  const info = await files.stat(path)
  if (info?.kind !== 'folder') return
  if ((info.mode & 0o700) !== 0o700) await files.setMode(path, info.mode | 0o700)
  for (const entry of (await files.list(path)) ?? []) {
    if (entry.kind === 'folder') await makeRemovable(files, `${path}/${entry.name}`)
  }
}
