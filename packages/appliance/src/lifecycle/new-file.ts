import { dirname } from 'node:path'
import { AppError } from '@caretaker/kernel/errors.ts'
import type { Files } from '@caretaker/ports/files.ts'

/**
 * That a file named by a person can be written without touching anything that is there, by us or by others.
 * @throws AppError `exists` when it is there, USAGE when its folder is not
 */
export async function assertNewFile(
  files: Pick<Files, 'stat'>,
  file: string,
  what: string,
  exists: 'CONFIG_EXISTS' | 'FILE_EXISTS',
): Promise<void> {
  // It is written beside its place first: what others put there would get the content, or its rights.
  for (const path of [file, `${file}.tmp`]) {
    if (await files.stat(path))
      throw new AppError(exists, {
        what,
        why: `${path} exists already`,
        next: 'Name a file that does not exist',
      })
  }
  if ((await files.stat(dirname(file)))?.kind === 'folder') return
  const why = `there is no folder ${dirname(file)}`
  throw new AppError('USAGE', { what, why, next: 'Name a file in a folder that exists' })
}
