import { constants, type Stats } from 'node:fs'
import {
  copyFile,
  type FileHandle,
  lchown,
  lstat,
  mkdir,
  open,
  readdir,
  readlink,
  symlink,
} from 'node:fs/promises'
import { basename, join } from 'node:path'
import { isErrno, unlessErrno } from './errno.ts'

const CHUNK_BYTES = 1024 * 1024
/** Entries of a folder that are copied and synced at once, so that the file system can write them in one go. */
const IN_FLIGHT = 16

/** What the kernel says of a file that cannot be cloned where it lies. */
const NO_CLONES = ['ENOTSUP', 'EOPNOTSUPP', 'EXDEV', 'EINVAL', 'ENOTTY', 'ENOSYS']

interface Walk {
  readonly root: string
  readonly leaveOut: (path: string) => boolean
  /** Whether the file system has refused to clone a file: then it is not asked again. */
  plain: boolean
}

/**
 * Copies a folder in which others write. Files are read to their end: the copying of libuv never ends for a file that is
 * cut short meanwhile.
 */
export async function copyLiveTree(
  from: string,
  to: string,
  leaveOut: (path: string) => boolean,
): Promise<void> {
  await copyFolder({ root: from, leaveOut, plain: false }, '', to, await lstat(from))
}

async function copyFolder(walk: Walk, path: string, to: string, info: Stats): Promise<void> {
  await mkdir(to, 0o700)
  const names = (await unlessGone(readdir(join(walk.root, path)))) ?? []
  const wanted = names
    .map((name) => (path === '' ? name : `${path}/${name}`))
    .filter((below) => !walk.leaveOut(below))
  for (let index = 0; index < wanted.length; index += IN_FLIGHT) {
    const some = wanted.slice(index, index + IN_FLIGHT)
    const outcomes = await Promise.allSettled(
      some.map((below) => copyEntry(walk, below, join(to, basename(below)))),
    )
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
  }
  await using handle = await open(to, 'r')
  await finish(handle, info)
}

async function copyEntry(walk: Walk, path: string, to: string): Promise<void> {
  const from = join(walk.root, path)
  const info = await unlessGone(lstat(from))
  if (info?.isDirectory()) return copyFolder(walk, path, to, info)
  if (info?.isSymbolicLink()) {
    const target = await unlessGone(readlink(from))
    if (target === undefined) return
    await symlink(target, to)
    if (isRoot()) await lchown(to, info.uid, info.gid)
    return
  }
  if (info?.isFile()) await copyContent(walk, from, to, info)
}

async function copyContent(walk: Walk, from: string, to: string, info: Stats): Promise<void> {
  if (!walk.plain && (await clone(walk, from, to))) {
    const handle = await unlessGone(open(to, 'r'))
    if (!handle) return
    await using copy = handle
    await finish(copy, info)
    return
  }
  const source = await unlessGone(open(from, 'r'))
  if (!source) return
  await using reading = source
  await using copy = await open(to, 'wx', 0o600)
  const chunk = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, info.size + 1))
  for (;;) {
    const { bytesRead } = await reading.read(chunk, 0, chunk.length, null)
    if (bytesRead === 0) break
    await copy.writeFile(chunk.subarray(0, bytesRead))
  }
  await finish(copy, info)
}

/** Copies a file in one instant, where the file system can. False: it has to be read. Gone: nothing lies at `to`. */
async function clone(walk: Walk, from: string, to: string): Promise<boolean> {
  try {
    await copyFile(from, to, constants.COPYFILE_FICLONE_FORCE | constants.COPYFILE_EXCL)
    return true
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return true
    if (!isErrno(error, ...NO_CLONES)) throw error
    walk.plain = true
    return false
  }
}

/** Gives the copy its owner, mode and times, and syncs it. */
async function finish(copy: FileHandle, info: Stats): Promise<void> {
  if (isRoot()) await copy.chown(info.uid, info.gid)
  await copy.chmod(info.mode & 0o7777)
  await copy.utimes(info.atimeMs / 1000, info.mtimeMs / 1000)
  await copy.sync()
}

function isRoot(): boolean {
  return process.getuid?.() === 0
}

const unlessGone = <T>(work: Promise<T>) => unlessErrno(work, ['ENOENT'], undefined)
