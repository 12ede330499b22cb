import { dirname } from 'node:path'
import type { FileInfo, Files, FolderEntry, Owner, Space } from './files.ts'
import { type DurableImage, imageOf, rootOf } from './memory-image.ts'
import {
  copyNode,
  infoOf,
  loseUnsynced,
  type MemoryFile,
  type MemoryFolder,
  type MemoryNode,
  type Place,
  systemError,
  walk,
} from './memory-tree.ts'

const BLOCK_BYTES = 4096

/**
 * A file system in memory that also knows what a power cut takes: {@link MemoryFiles.crash} loses content since the
 * last sync of the file and names since the last sync of the folder. Modes, owners and links' targets are durable at
 * once. {@link MemoryFiles.fail} makes calls fail as a full or broken disk does.
 */
export class MemoryFiles implements Files {
  /** What {@link Files.space} says; a test may change it. */
  diskSpace: Space = {
    mount: '/',
    totalBytes: 100 * 2 ** 30,
    availableBytes: 50 * 2 ** 30,
    fileSystem: 'ext4',
    inMemory: false,
  }
  readonly #root: MemoryFolder
  readonly #owner: Owner
  readonly #now: () => number
  #failures: { readonly operation: keyof Files; readonly code: string; readonly path: string }[] = []

  constructor(
    options: { readonly owner?: Owner; readonly now?: () => number; readonly image?: DurableImage } = {},
  ) {
    this.#owner = options.owner ?? { uid: 1000, gid: 1000 }
    this.#now = options.now ?? Date.now
    this.#root = options.image ? rootOf(options.image) : this.#newFolder(0o755)
  }

  /** The power fails and comes back: what was not synced is gone. */
  crash(): void {
    loseUnsynced(this.#root)
  }

  /** What {@link MemoryFiles.crash} would leave, to go on with in another process: pass it as `image`. */
  durableImage(): DurableImage {
    return imageOf(this.#root)
  }

  /** From now on the operation throws this errno code at the path and below, until {@link MemoryFiles.heal}. */
  fail(operation: keyof Files, code: string, path = '/'): void {
    this.#failures.push({ operation, code, path: path.replace(/\/$/, '') })
  }

  heal(): void {
    this.#failures = []
  }

  async read(path: string): Promise<Uint8Array> {
    this.#check('read', path)
    return Buffer.from(this.#fileAt(path).data)
  }

  async readText(path: string): Promise<string | undefined> {
    this.#check('readText', path)
    if (!this.#lookUp(path, true)) return undefined
    return this.#fileAt(path).data.toString('utf8')
  }

  async stat(path: string): Promise<FileInfo | undefined> {
    this.#check('stat', path)
    const node = this.#lookUp(path, false)
    return node && infoOf(node)
  }

  async list(path: string): Promise<readonly FolderEntry[] | undefined> {
    this.#check('list', path)
    const node = this.#lookUp(path, true)
    if (node?.kind !== 'folder') return undefined
    return [...node.entries]
      .map(([name, entry]) => ({ name, kind: entry.kind }))
      .toSorted((a, b) => (a.name < b.name ? -1 : 1))
  }

  async makeFolder(path: string, mode = 0o755): Promise<void> {
    this.#check('makeFolder', path)
    const existing = this.#lookUp(path, true)
    if (existing?.kind === 'folder') return
    if (existing) throw systemError('EEXIST', 'mkdir', path)
    if (dirname(path) !== path && !this.#lookUp(dirname(path), true)) await this.makeFolder(dirname(path))
    const { folder, name } = walk(this.#root, path, true)
    folder.entries.set(name, this.#newFolder(mode))
    folder.syncedEntries = new Map(folder.entries)
  }

  async write(path: string, data: string | Uint8Array, mode = 0o644): Promise<void> {
    this.#check('write', path)
    this.#setData(this.#fileAt(path, mode), Buffer.from(data as string))
  }

  async create(path: string, data: string | Uint8Array, mode: number): Promise<void> {
    this.#check('create', path)
    if (this.#lookUp(path, false)) throw Object.assign(new Error(`EEXIST: ${path}`), { code: 'EEXIST', path })
    this.#setData(this.#fileAt(path, mode), Buffer.from(data as string))
  }

  async append(path: string, data: string | Uint8Array, mode = 0o644): Promise<void> {
    this.#check('append', path)
    const file = this.#fileAt(path, mode)
    this.#setData(file, Buffer.concat([file.data, Buffer.from(data as string)]))
  }

  async truncate(path: string, sizeBytes: number): Promise<void> {
    this.#check('truncate', path)
    const file = this.#fileAt(path)
    const data = Buffer.alloc(sizeBytes)
    file.data.copy(data)
    this.#setData(file, data)
  }

  async sync(path: string): Promise<void> {
    this.#check('sync', path)
    const node = this.#nodeAt(path, true)
    if (node.kind === 'file') node.syncedData = Buffer.from(node.data)
    if (node.kind === 'folder') node.syncedEntries = new Map(node.entries)
  }

  async rename(from: string, to: string): Promise<void> {
    this.#check('rename', to)
    const source = walk(this.#root, from, false)
    const node = this.#nodeAt(from, false)
    const target = walk(this.#root, to, false)
    this.#refuseToReplace(node, target, to)
    source.folder.entries.delete(source.name)
    target.folder.entries.set(target.name, node)
  }

  async link(target: string, path: string): Promise<void> {
    this.#check('link', path)
    const { folder, name, node } = walk(this.#root, path, false)
    if (node) throw systemError('EEXIST', 'symlink', path)
    folder.entries.set(name, { kind: 'link', target, ...this.#fresh(0o777) })
  }

  async readLink(path: string): Promise<string | undefined> {
    this.#check('readLink', path)
    const node = this.#lookUp(path, false)
    return node?.kind === 'link' ? node.target : undefined
  }

  async remove(path: string): Promise<void> {
    this.#check('remove', path)
    if (!this.#lookUp(path, false)) return
    const { folder, name } = walk(this.#root, path, false)
    folder.entries.delete(name)
  }

  async copyTree(from: string, to: string, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted()
    this.#check('copyTree', to)
    const copy = copyNode(this.#nodeAt(from, false))
    const { folder, name, node } = walk(this.#root, to, false)
    if (node) throw systemError('EEXIST', 'copyfile', to)
    folder.entries.set(name, copy)
    folder.syncedEntries.set(name, copy)
  }

  async copyLiveTree(
    from: string,
    to: string,
    leaveOut: (path: string) => boolean,
    signal?: AbortSignal,
  ): Promise<void> {
    this.#check('copyLiveTree', to)
    await this.copyTree(from, to, signal)
    for (const path of this.#pathsBelow(to, '')) if (leaveOut(path)) await this.remove(`${to}/${path}`)
  }

  #pathsBelow(root: string, below: string): readonly string[] {
    const node = this.#nodeAt(below === '' ? root : `${root}/${below}`, false)
    if (node.kind !== 'folder') return []
    return [...node.entries.keys()].flatMap((name) => {
      const path = below === '' ? name : `${below}/${name}`
      return [path, ...this.#pathsBelow(root, path)]
    })
  }

  async treeSize(path: string): Promise<number> {
    this.#check('treeSize', path)
    const node = this.#lookUp(path, false)
    return node ? blocksOf(node) : 0
  }

  async setMode(path: string, mode: number): Promise<void> {
    this.#check('setMode', path)
    this.#nodeAt(path, true).mode = mode
  }

  async setOwner(path: string, owner: Owner): Promise<void> {
    this.#check('setOwner', path)
    ownTree(this.#nodeAt(path, false), owner)
  }

  async space(path: string): Promise<Space> {
    this.#check('space', path)
    this.#nodeAt(path, true)
    return this.diskSpace
  }

  #check(operation: keyof Files, path: string): void {
    const failure = this.#failures.find(
      (entry) => entry.operation === operation && (path === entry.path || path.startsWith(`${entry.path}/`)),
    )
    if (failure) throw systemError(failure.code, operation, path)
  }

  /** What is there, undefined when nothing is or cannot be. */
  #lookUp(path: string, follow: boolean): MemoryNode | undefined {
    try {
      return walk(this.#root, path, follow).node
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
      throw error
    }
  }

  #nodeAt(path: string, follow: boolean): MemoryNode {
    const { node } = walk(this.#root, path, follow)
    if (!node) throw systemError('ENOENT', 'open', path)
    return node
  }

  /** The file at a path, created when a mode is given. */
  #fileAt(path: string, createMode?: number): MemoryFile {
    const { folder, name, node } = walk(this.#root, path, true)
    if (node?.kind === 'file') return node
    if (node) throw systemError('EISDIR', 'open', path)
    if (createMode === undefined) throw systemError('ENOENT', 'open', path)
    const nothing = Buffer.alloc(0)
    const file: MemoryFile = { kind: 'file', data: nothing, syncedData: nothing, ...this.#fresh(createMode) }
    folder.entries.set(name, file)
    return file
  }

  #setData(file: MemoryFile, data: Buffer): void {
    file.data = data
    file.modifiedMs = this.#now()
  }

  #refuseToReplace(node: MemoryNode, target: Place, path: string): void {
    if (target.node?.kind === 'folder') {
      if (node.kind !== 'folder') throw systemError('EISDIR', 'rename', path)
      if (target.node.entries.size > 0) throw systemError('ENOTEMPTY', 'rename', path)
    } else if (target.node && node.kind === 'folder') {
      throw systemError('ENOTDIR', 'rename', path)
    }
  }

  #newFolder(mode: number): MemoryFolder {
    return { kind: 'folder', entries: new Map(), syncedEntries: new Map(), ...this.#fresh(mode) }
  }

  #fresh(mode: number): Owner & { mode: number; modifiedMs: number } {
    return { mode, modifiedMs: this.#now(), ...this.#owner }
  }
}

function blocksOf(node: MemoryNode): number {
  if (node.kind === 'file') return Math.ceil(node.data.length / BLOCK_BYTES) * BLOCK_BYTES
  if (node.kind === 'link') return 0
  return [...node.entries.values()].reduce((total, child) => total + blocksOf(child), 0)
}

function ownTree(node: MemoryNode, owner: Owner): void {
  node.uid = owner.uid
  node.gid = owner.gid
  if (node.kind === 'folder') for (const child of node.entries.values()) ownTree(child, owner)
}
