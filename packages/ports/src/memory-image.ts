import type { MemoryFolder, MemoryNode } from './memory-tree.ts'

type Facts = Pick<MemoryNode, 'mode' | 'uid' | 'gid' | 'modifiedMs'>

/** What a power cut leaves of the files in memory, as JSON. `data` is base64. */
export type DurableImage = Facts &
  (
    | { readonly kind: 'file'; readonly data: string }
    | { readonly kind: 'link'; readonly target: string }
    | { readonly kind: 'folder'; readonly entries: Readonly<Record<string, DurableImage>> }
  )

/** The durable part of a node and all below it. */
export function imageOf(node: MemoryNode): DurableImage {
  const { mode, uid, gid, modifiedMs } = node
  const facts = { mode, uid, gid, modifiedMs }
  if (node.kind === 'link') return { ...facts, kind: 'link', target: node.target }
  if (node.kind === 'file') return { ...facts, kind: 'file', data: node.syncedData.toString('base64') }
  const entries = [...node.syncedEntries].map(([name, child]) => [name, imageOf(child)] as const)
  return { ...facts, kind: 'folder', entries: Object.fromEntries(entries) }
}

/** The root that an image was made of, everything in it durable. */
export function rootOf(image: DurableImage): MemoryFolder {
  const node = nodeOf(image)
  if (node.kind !== 'folder') throw new Error('the image is not that of a folder')
  return node
}

function nodeOf(image: DurableImage): MemoryNode {
  const { mode, uid, gid, modifiedMs } = image
  const facts = { mode, uid, gid, modifiedMs }
  if (image.kind === 'link') return { ...facts, kind: 'link', target: image.target }
  if (image.kind === 'file') {
    const data = Buffer.from(image.data, 'base64')
    return { ...facts, kind: 'file', data, syncedData: data }
  }
  const entries = new Map(Object.entries(image.entries).map(([name, child]) => [name, nodeOf(child)]))
  return { ...facts, kind: 'folder', entries, syncedEntries: new Map(entries) }
}
