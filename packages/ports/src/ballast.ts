import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { KIB, MIB } from '@caretaker/kernel/units.ts'
import type { Files } from './files.ts'

/** Parts of a whole ballast. They are files, so that giving one up frees an inode as well as bytes. */
export const BALLAST_PARTS = 16
const PART_BYTES = 256 * KIB
/** What a whole ballast takes up on disk. */
export const BALLAST_BYTES = BALLAST_PARTS * PART_BYTES
/** What must stay free beside a whole ballast: it is no ballast when it is what makes the disk full. */
export const ROOM_BESIDE_BALLAST_BYTES = 16 * MIB

/** The ballast of a state folder: bytes that mean nothing and are given up, part by part, when its disk is full. */
export function ballastFolder(stateFolder: string): string {
  return join(stateFolder, 'ballast')
}

/** Names of the parts that are there, in the order they are given up. */
export async function ballastParts(files: Pick<Files, 'list'>, folder: string): Promise<readonly string[]> {
  return ((await files.list(folder)) ?? []).map(({ name }) => name).filter((name) => /^\d\d$/.test(name))
}

/**
 * Makes the parts that are missing, while there is room for all of them. Gives whether the ballast is whole now.
 * Safe to repeat; what fails half-way leaves no part that is no part.
 */
export async function fillBallast(files: Files, folder: string): Promise<boolean> {
  const present = new Set(await ballastParts(files, folder))
  if (present.size >= BALLAST_PARTS) return true
  const missingBytes = (BALLAST_PARTS - present.size) * PART_BYTES
  await files.makeFolder(folder, 0o700)
  const { availableBytes } = await files.space(folder)
  if (availableBytes < missingBytes + ROOM_BESIDE_BALLAST_BYTES) return false
  for (let index = 0; index < BALLAST_PARTS; index += 1) {
    const name = String(index).padStart(2, '0')
    if (present.has(name)) continue
    const temporary = join(folder, `${name}.tmp`)
    try {
      // Random: a file system that compresses, or leaves holes, would take up nothing for zeros.
      await files.write(temporary, randomBytes(PART_BYTES), 0o600)
      await files.sync(temporary)
      await files.rename(temporary, join(folder, name))
    } catch (error) {
      await files.remove(temporary)
      throw error
    }
  }
  await files.sync(folder)
  return true
}

/** Gives up one part, unless `keep` or fewer are left. Gives whether it did; the room is there when it returns. */
export async function dropBallast(files: Files, folder: string, keep: number): Promise<boolean> {
  const parts = await ballastParts(files, folder)
  const [first] = parts
  if (first === undefined || parts.length <= keep) return false
  await files.remove(join(folder, first))
  // A journalling file system frees the blocks when it commits.
  await files.sync(folder)
  return true
}
