import { lstat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { runCp, syncFileSystem } from './cp-program.ts'
import { unlessErrno } from './errno.ts'

/**
 * Copies a file or tree to `to`, which must not exist, by reflink where the file system can. It keeps all that `cp -a`
 * keeps, of any name: see `copyTree` of the Files port.
 */
export async function copyTree(from: string, to: string, signal?: AbortSignal): Promise<void> {
  await lstat(from)
  await assertAbsent(to)
  const { error } = await runCp(['-T', '--', from, to], { signal })
  if (error) throw error
  await syncFileSystem(dirname(to), signal)
}

/** @throws EEXIST: `cp` would copy into a folder that is there */
export async function assertAbsent(to: string): Promise<void> {
  if ((await unlessErrno(lstat(to), ['ENOENT'], undefined)) === undefined) return
  throw Object.assign(new Error(`EEXIST: file already exists, ${to}`), { code: 'EEXIST', path: to })
}
