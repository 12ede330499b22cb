import type { Stats } from 'node:fs'
import { lstat, readdir } from 'node:fs/promises'
import { unlessErrno } from './errno.ts'

/** Unit of `st_blocks`, see stat(2): always 512, whatever the file system's block size. */
const STAT_BLOCK_BYTES = 512
const SLASH = Buffer.from('/')

/**
 * Bytes on disk of the files at and below a path, a file with several names counted once, of a file with holes what it
 * takes up. Folders themselves do not count. What vanishes meanwhile counts nothing.
 */
export async function treeSize(path: string): Promise<number> {
  const seen = new Set<string>()
  let total = 0
  const visit = async (current: Buffer): Promise<void> => {
    const info = await unlessErrno(lstat(current), ['ENOENT', 'ENOTDIR'], undefined)
    if (info?.isDirectory()) {
      for (const name of await unlessErrno(readdir(current, { encoding: 'buffer' }), ['ENOENT'], []))
        await visit(Buffer.concat([current, SLASH, name]))
    } else if (info && isFirst(info, seen)) {
      total += info.blocks * STAT_BLOCK_BYTES
    }
  }
  await visit(Buffer.from(path))
  return total
}

function isFirst(info: Stats, seen: Set<string>): boolean {
  if (info.nlink < 2) return true
  const key = `${info.dev}:${info.ino}`
  if (seen.has(key)) return false
  seen.add(key)
  return true
}
