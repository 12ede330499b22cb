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
import { dirname, join } from 'node:path'
import type { FileInfo, Files, Owner } from '@caretaker/ports/files.ts'
import { copyTree } from './copy-tree.ts'
import { isErrno, unlessErrno } from './errno.ts'
import { treeSize } from './tree-size.ts'

/** What the operating system says when nothing lies at a path. */
const MISSING = ['ENOENT', 'ENOTDIR']
/** TMPFS_MAGIC and RAMFS_MAGIC, see statfs(2). */
const MEMORY_FILE_SYSTEMS: ReadonlySet<number> = new Set([0x01021994, 0x858458f6])

/** The file system of this machine. Modes that are given are exact: the umask does not count. */
export function createFiles(): Files {
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
      await file.chmod(mode)
      await file.writeFile(data)
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
    copyTree: async (from, to) => {
      await copyTree(from, to)
      await syncPath(dirname(to))
    },
    treeSize,
    setMode: (path, mode) => chmod(path, mode),
    setOwner,
    space: async (path) => {
      const { type, blocks, bavail, bsize, files, ffree } = await statfs(path)
      return {
        totalBytes: blocks * bsize,
        availableBytes: bavail * bsize,
        inMemory: MEMORY_FILE_SYSTEMS.has(type),
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

async function setOwner(path: string, owner: Owner): Promise<void> {
  const info = await lstat(path)
  if (info.uid !== owner.uid || info.gid !== owner.gid) await lchown(path, owner.uid, owner.gid)
  if (!info.isDirectory()) return
  for (const name of await readdir(path)) await setOwner(join(path, name), owner)
}
