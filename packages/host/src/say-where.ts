import { isErrno } from './errno.ts'
import { mountPoint } from './mount-point.ts'

/**
 * The same work, whose errors of a full or read-only file system carry `path` and `mount`, and those of a folder in the
 * place of a file `path`: the operating system names no path for what is done with an open file, and never the file system.
 */
export async function sayWhere<T>(path: string, work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    if (isErrno(error, 'EISDIR')) throw Object.assign(error as Error, { path })
    if (!isErrno(error, 'ENOSPC', 'EDQUOT', 'EROFS')) throw error
    const named = (error as NodeJS.ErrnoException).path ?? path
    const mount = await mountPoint(named).catch(() => undefined)
    throw Object.assign(error as Error, { path: named, ...(mount === undefined ? {} : { mount }) })
  }
}
