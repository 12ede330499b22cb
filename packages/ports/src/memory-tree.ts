import type { FileInfo } from './files.ts'

interface Common {
  mode: number
  uid: number
  gid: number
  modifiedMs: number
}

export interface MemoryFile extends Common {
  readonly kind: 'file'
  data: Buffer
  /** What a crash leaves of the content. */
  syncedData: Buffer
}

export interface MemoryFolder extends Common {
  readonly kind: 'folder'
  entries: Map<string, MemoryNode>
  /** What a crash leaves of the names. */
  syncedEntries: Map<string, MemoryNode>
}

export interface MemoryLink extends Common {
  readonly kind: 'link'
  readonly target: string
}

export type MemoryNode = MemoryFile | MemoryFolder | MemoryLink

/** A name in a folder, whether there is something or not. */
export interface Place {
  readonly folder: MemoryFolder
  readonly name: string
  readonly node: MemoryNode | undefined
}

const MOST_LINKS = 40

/** An error as the operating system throws it. */
export function systemError(code: string, operation: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${operation} '${path}'`), { code, path, syscall: operation })
}

/**
 * Walks to a path from the root, through symbolic links; a last one only when `follow`.
 * @throws ENOENT or ENOTDIR when a folder on the way is not there, ELOOP when links go round.
 */
export function walk(root: MemoryFolder, path: string, follow: boolean, links = 0): Place {
  if (links > MOST_LINKS) throw systemError('ELOOP', 'walk', path)
  const names = path.split('/').filter((name) => name !== '' && name !== '.')
  const trail: MemoryFolder[] = [root]
  let place: Place = { folder: root, name: '', node: root }
  for (const [index, name] of names.entries()) {
    const isLast = index === names.length - 1
    const folder = trail.at(-1) as MemoryFolder
    if (name === '..') {
      if (trail.length > 1) trail.pop()
      place = { folder, name: '', node: trail.at(-1) }
      continue
    }
    const node = folder.entries.get(name)
    place = { folder, name, node }
    if (node?.kind === 'link' && (follow || !isLast)) {
      const before = names.slice(0, index).join('/')
      const start = node.target.startsWith('/') ? node.target : `/${before}/${node.target}`
      return walk(root, [start, ...names.slice(index + 1)].join('/'), follow, links + 1)
    }
    if (isLast) break
    if (!node) throw systemError('ENOENT', 'walk', path)
    if (node.kind !== 'folder') throw systemError('ENOTDIR', 'walk', path)
    trail.push(node)
  }
  return place
}

/** Forgets what was not synced, here and below. */
export function loseUnsynced(node: MemoryNode): void {
  if (node.kind === 'file') node.data = Buffer.from(node.syncedData)
  if (node.kind !== 'folder') return
  node.entries = new Map(node.syncedEntries)
  for (const child of node.entries.values()) loseUnsynced(child)
}

/** A synced copy of a node and all below it. */
export function copyNode(node: MemoryNode): MemoryNode {
  if (node.kind === 'link') return { ...node }
  if (node.kind === 'file')
    return { ...node, data: Buffer.from(node.data), syncedData: Buffer.from(node.data) }
  const entries = new Map([...node.entries].map(([name, child]) => [name, copyNode(child)]))
  return { ...node, entries, syncedEntries: new Map(entries) }
}

export function infoOf(node: MemoryNode): FileInfo {
  const { kind, mode, uid, gid, modifiedMs } = node
  return { kind, sizeBytes: sizeOf(node), mode, uid, gid, modifiedMs }
}

function sizeOf(node: MemoryNode): number {
  if (node.kind === 'file') return node.data.length
  return node.kind === 'link' ? node.target.length : 0
}
