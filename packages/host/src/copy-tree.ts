import { constants, type Stats } from 'node:fs'
import {
  copyFile,
  lchown,
  link,
  lstat,
  lutimes,
  mkdir,
  open,
  readdir,
  readlink,
  symlink,
} from 'node:fs/promises'
import { join } from 'node:path'

/** Copies and fsyncs in flight: several, so that the file system can write them in one go. */
const IN_FLIGHT = 16

interface Item {
  readonly from: string
  readonly to: string
  readonly info: Stats
}

interface Tree {
  /** Parents before children. */
  readonly folders: Item[]
  readonly files: Item[]
  readonly links: Item[]
  /** Second names of files of the tree; `from` is the copy of the first name. */
  readonly names: Item[]
}

/**
 * Copies a file or tree to `to`, which must not exist, by reflink where the file system can. Keeps modes, times,
 * symbolic links, second names of the same file and, as root, owners; sockets, pipes and devices are left out.
 * Every file and folder of the copy is synced; the name `to` itself is durable after a sync of its parent.
 */
export async function copyTree(from: string, to: string): Promise<void> {
  const tree: Tree = { folders: [], files: [], links: [], names: [] }
  await survey({ from, to, info: await lstat(from) }, tree, new Map())
  for (const folder of tree.folders) await mkdir(folder.to, 0o700)
  await inParallel(tree.files, ({ from: source, to: target }) =>
    copyFile(source, target, constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL),
  )
  await inParallel(tree.files, finish)
  for (const item of tree.links) await copyLink(item)
  for (const name of tree.names) await link(name.from, name.to)
  for (const folder of tree.folders.toReversed()) await finish(folder)
}

async function survey(item: Item, tree: Tree, copies: Map<string, string>): Promise<void> {
  const { from, to, info } = item
  if (info.isDirectory()) {
    tree.folders.push(item)
    for (const name of await readdir(from)) {
      const child = join(from, name)
      await survey({ from: child, to: join(to, name), info: await lstat(child) }, tree, copies)
    }
  } else if (info.isSymbolicLink()) {
    tree.links.push(item)
  } else if (info.isFile()) {
    const key = `${info.dev}:${info.ino}`
    const copy = copies.get(key)
    if (copy !== undefined) tree.names.push({ from: copy, to, info })
    else tree.files.push(item)
    if (info.nlink > 1) copies.set(key, copy ?? to)
  }
}

/** Gives the copy of a file or folder its owner, mode and times, and syncs it. */
async function finish({ to, info }: Item): Promise<void> {
  await using handle = await open(to, 'r')
  if (isRoot()) await handle.chown(info.uid, info.gid)
  await handle.chmod(info.mode & 0o7777)
  await handle.utimes(info.atimeMs / 1000, info.mtimeMs / 1000)
  await handle.sync()
}

async function copyLink({ from, to, info }: Item): Promise<void> {
  await symlink(await readlink(from), to)
  if (isRoot()) await lchown(to, info.uid, info.gid)
  await lutimes(to, info.atimeMs / 1000, info.mtimeMs / 1000)
}

function isRoot(): boolean {
  return process.getuid?.() === 0
}

async function inParallel<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  let next = 0
  let failed = false
  const worker = async (): Promise<void> => {
    for (let item = items[next++]; item !== undefined && !failed; item = items[next++]) {
      try {
        await work(item)
      } catch (error) {
        failed = true
        throw error
      }
    }
  }
  const outcomes = await Promise.allSettled(Array.from({ length: IN_FLIGHT }, worker))
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
}
