import { readFile, realpath } from 'node:fs/promises'
import { dirname } from 'node:path'
import { isErrno } from './errno.ts'

/** Where the file system is mounted that holds `path`, or would hold it; links are followed. */
export async function mountPoint(path: string): Promise<string> {
  const real = await existing(path)
  return innermost(mountsOf(await readFile('/proc/self/mountinfo', 'utf8')), real)
}

/** The mount points of a mountinfo file, see proc_pid_mountinfo(5): the fifth field, blanks and the like in octal. */
export function mountsOf(mountinfo: string): readonly string[] {
  return mountinfo
    .split('\n')
    .map((line) => line.split(' ')[4])
    .filter((field) => field !== undefined)
    .map((field) =>
      field.replaceAll(/\\([0-7]{3})/g, (_, digits) => String.fromCharCode(parseInt(digits, 8))),
    )
}

/** The longest of `mounts` that is `path` or above it. */
export function innermost(mounts: readonly string[], path: string): string {
  const above = mounts.filter((mount) => path === mount || path.startsWith(mount === '/' ? '/' : `${mount}/`))
  return above.reduce((longest, mount) => (mount.length > longest.length ? mount : longest), '/')
}

async function existing(path: string): Promise<string> {
  for (let current = path; ; current = dirname(current)) {
    try {
      return await realpath(current)
    } catch (error) {
      if (!isErrno(error, 'ENOENT', 'ENOTDIR') || dirname(current) === current) throw error
    }
  }
}
