import { dirname } from 'node:path'
import type { Files } from './files.ts'

/**
 * Replaces the content of a file so that after a power cut either the old or the new content is there, whole.
 * A leftover `*.tmp` beside it is from an interrupted write and means nothing.
 */
export async function writeDurably(
  files: Pick<Files, 'write' | 'sync' | 'rename'>,
  path: string,
  data: string | Uint8Array,
  mode = 0o600,
): Promise<void> {
  const temporary = `${path}.tmp`
  await files.write(temporary, data, mode)
  await files.sync(temporary)
  await files.rename(temporary, path)
  await files.sync(dirname(path))
}

/** {@link writeDurably} of a value as indented JSON. */
export async function writeJsonDurably(
  files: Pick<Files, 'write' | 'sync' | 'rename'>,
  path: string,
  value: unknown,
  mode = 0o600,
): Promise<void> {
  await writeDurably(files, path, `${JSON.stringify(value, null, 2)}\n`, mode)
}

/** Points the symbolic link at `path` to `target`, atomically and durably. */
export async function switchLink(
  files: Pick<Files, 'link' | 'rename' | 'remove' | 'sync'>,
  target: string,
  path: string,
): Promise<void> {
  const temporary = `${path}.tmp`
  await files.remove(temporary)
  await files.link(target, temporary)
  await files.rename(temporary, path)
  await files.sync(dirname(path))
}
