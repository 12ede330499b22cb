import type { Stats } from 'node:fs'
import {
  appendFile,
  chmod,
  type FileHandle,
  lchown,
  lstat,
  mkdir,
  open,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  statfs,
  symlink,
  truncate,
} from 'node:fs/promises'
import { dirname } from 'node:path'
import { AppError } from '@caretaker/kernel/errors.ts'
import type { FileInfo, Files, Owner } from '@caretaker/ports/files.ts'
import { copyLiveTree } from './copy-live-tree.ts'
import { copyTree } from './copy-tree.ts'
import { isErrno, unlessErrno } from './errno.ts'
import { mountPoint } from './mount-point.ts'
import { sayWhere } from './say-where.ts'
import { treeSize } from './tree-size.ts'

/** What the operating system says when nothing lies at a path. */
const MISSING = ['ENOENT', 'ENOTDIR']
/** By the magic numbers of statfs(2). ext2, ext3 and ext4 share one. */
const FILE_SYSTEMS: ReadonlyMap<number, string> = new Map([
  [0xef53, 'ext4'],
  [0x9123683e, 'btrfs'],
  [0x58465342, 'xfs'],
  [0x2fc12fc1, 'zfs'],
  [0x01021994, 'tmpfs'],
  [0x858458f6, 'ramfs'],
  [0x794c7630, 'overlay'],
  [0x6969, 'nfs'],
  [0x65735546, 'fuse'],
])
const SLASH = Buffer.from('/')
const MEMORY_FILE_SYSTEMS: ReadonlySet<string> = new Set(['tmpfs', 'ramfs'])

/** The file system of this machine. Modes that are given are exact: the umask does not count. */
export function createFiles(): Files {
  const plain = plainFiles()
  return {
    ...plain,
    read: (path) => sayWhere(path, plain.read(path)),
    readText: (path) => sayWhere(path, plain.readText(path)),
    makeFolder: (path, mode) => sayWhere(path, plain.makeFolder(path, mode)),
    write: (path, data, mode) => sayWhere(path, plain.write(path, data, mode)),
    create: (path, data, mode) => sayWhere(path, plain.create(path, data, mode)),
    append: (path, data, mode) => sayWhere(path, plain.append(path, data, mode)),
    truncate: (path, sizeBytes) => sayWhere(path, plain.truncate(path, sizeBytes)),
    sync: (path) => sayWhere(path, plain.sync(path)),
    rename: (from, to) => sayWhere(to, plain.rename(from, to)),
    link: (target, path) => sayWhere(path, plain.link(target, path)),
    remove: (path) => sayWhere(path, plain.remove(path)),
    copyTree: (from, to, signal) => sayWhere(to, plain.copyTree(from, to, signal)),
    copyLiveTree: (from, to, leaveOut, signal) =>
      sayWhere(to, plain.copyLiveTree(from, to, leaveOut, signal)),
    setMode: (path, mode) => sayWhere(path, plain.setMode(path, mode)),
    setOwner: (path, owner) => sayWhere(path, plain.setOwner(path, owner)),
  }
}

function plainFiles(): Files {
  return {
    read: (path) => readFile(path),
    readText: (path) => unlessErrno(readFile(path, 'utf8'), MISSING, undefined),
    stat: async (path) => {
      const info = await unlessErrno(lstat(path), MISSING, undefined)
      return info && toFileInfo(info)
    },
    list: async (path) => {
      const entries = await unlessErrno(readdir(path, { withFileTypes: true }), MISSING, undefined)
      return entries
        ?.map((entry) => ({ name: entry.name, kind: kindOf(entry) }))
        .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    },
    makeFolder,
    write: async (path, data, mode) => {
      await using file = await openForWriting(path, mode)
      await file.writeFile(data)
    },
    create: async (path, data, mode) => {
      await using file = await open(path, 'wx', mode)
      try {
        await file.chmod(mode)
        await file.writeFile(data)
      } catch (error) {
        await rm(path, { force: true })
        throw error
      }
    },
    append: async (path, data, mode) => {
      if (mode === undefined) return appendFile(path, data)
      await using file = await openForWriting(path, mode, 'a')
      await file.writeFile(data)
    },
    truncate: (path, sizeBytes) => truncate(path, sizeBytes),
    sync: syncPath,
    rename: (from, to) => rename(from, to),
    link: (target, path) => symlink(target, path),
    readLink: (path) => unlessErrno(readlink(path), [...MISSING, 'EINVAL'], undefined),
    remove: (path) => unlessErrno(rm(path, { recursive: true, force: true }), MISSING, undefined),
    copyTree,
    copyLiveTree,
    treeSize,
    setMode: (path, mode) => chmod(path, mode),
    setOwner,
    space: async (path) => {
      const { type, blocks, bavail, bsize, files, ffree } = await statfs(path)
      const fileSystem = FILE_SYSTEMS.get(type) ?? `0x${type.toString(16)}`
      return {
        mount: await mountPoint(path),
        totalBytes: blocks * bsize,
        availableBytes: bavail * bsize,
        fileSystem,
        inMemory: MEMORY_FILE_SYSTEMS.has(fileSystem),
        ...(files > 0 ? { totalFiles: files, availableFiles: ffree } : {}),
      }
    },
  }
}

type Kinds = Pick<Stats, 'isFile' | 'isDirectory' | 'isSymbolicLink'>

function kindOf(entry: Kinds): FileInfo['kind'] {
  if (entry.isFile()) return 'file'
  if (entry.isDirectory()) return 'folder'
  return entry.isSymbolicLink() ? 'link' : 'other'
}

function toFileInfo(info: Stats): FileInfo {
  return {
    kind: kindOf(info),
    sizeBytes: info.size,
    mode: info.mode & 0o7777,
    uid: info.uid,
    gid: info.gid,
    modifiedMs: info.mtimeMs,
  }
}

/** `mode` counts for the last folder only; its parents are made with the usual mode. */
async function makeFolder(path: string, mode?: number): Promise<void> {
  try {
    await mkdir(path, mode)
    if (mode !== undefined) await chmod(path, mode)
    await syncPath(dirname(path))
  } catch (error) {
    if (isErrno(error, 'ENOENT') && dirname(path) !== path) {
      await makeFolder(dirname(path))
      return makeFolder(path, mode)
    }
    const isThere = isErrno(error, 'EEXIST') && (await readdir(path).then(() => true))
    if (!isThere) throw error
  }
}

/** Opens a file; a new one gets exactly `mode`, an existing one keeps its own. */
async function openForWriting(path: string, mode?: number, flag: 'w' | 'a' = 'w'): Promise<FileHandle> {
  const created = await unlessErrno(open(path, `${flag}x`, mode), ['EEXIST'], undefined)
  if (!created) return open(path, flag)
  if (mode !== undefined) await created.chmod(mode)
  return created
}

async function syncPath(path: string): Promise<void> {
  await using handle = await open(path, 'r')
  await handle.sync()
}

async function setOwner(path: string | Buffer, owner: Owner): Promise<void> {
  const info = await lstat(path)
  if (info.uid !== owner.uid || info.gid !== owner.gid) await changeOwner(path, owner)
  if (!info.isDirectory()) return
  for (const name of await readdir(path, { encoding: 'buffer' }))
    await setOwner(Buffer.concat([Buffer.from(path), SLASH, name]), owner)
}

/** A root that stands for somebody else's user number (`unshare -r`) has only the users that were mapped. */
async function changeOwner(path: string | Buffer, { uid, gid }: Owner): Promise<void> {
  try {
    await lchown(path, uid, gid)
  } catch (error) {
    if (!isErrno(error, 'EINVAL')) throw error
    throw new AppError('NO_PERMISSION', {
      what: `${path.toString()} could not be given to another user`,
      why: `the users ${uid}:${gid} are not part of the user namespace that this root rules ("cat /proc/self/uid_map")`,
      next: 'Run as an ordinary user, or in a container or namespace that has this user, then repeat the command',
      cause: error,
    })
  }
}
