import { execFileSync } from 'node:child_process'
import { chmodSync, chownSync, lstatSync, mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

/** Number of the inode of every subvolume of btrfs. */
const SUBVOLUME_INODE = 256

/** Copies folders beside themselves, and puts a copy in their place. A subvolume of btrfs stays one, a sealed one sealed. */
export class Copies {
  readonly #folders: readonly string[]
  readonly #names = new Set<string>()

  constructor(folders: readonly string[]) {
    this.#folders = folders
  }

  has(name: string): boolean {
    return this.#names.has(name)
  }

  /** Nothing may run on the folders meanwhile. */
  keep(name: string): void {
    this.#names.add(name)
    for (const folder of this.#folders) copyTree(folder, copyOf(folder, name))
  }

  /** What was there is gone. */
  bring(name: string): void {
    for (const folder of this.#folders) {
      removeTree(folder)
      copyTree(copyOf(folder, name), folder)
    }
  }

  /** Removes the folders and all copies of them. */
  remove(): void {
    for (const folder of this.#folders)
      for (const path of [folder, ...[...this.#names].map((name) => copyOf(folder, name))]) removeTree(path)
  }
}

const copyOf = (folder: string, name: string) => `${folder} of ${name}`
const btrfs = (...args: string[]) => execFileSync('btrfs', args, { encoding: 'utf8' })
const isOnBtrfs = (path: string) =>
  execFileSync('stat', ['--file-system', '--format=%T', path], { encoding: 'utf8' }).trim() === 'btrfs'

function copyTree(from: string, to: string): void {
  if (!isOnBtrfs(from)) {
    execFileSync('cp', ['-a', from, to])
    return
  }
  const { ino, mode, uid, gid } = lstatSync(from)
  if (ino === SUBVOLUME_INODE) {
    const isSealed = btrfs('property', 'get', '-ts', from, 'ro').trim() === 'ro=true'
    btrfs('subvolume', 'snapshot', ...(isSealed ? ['-r'] : []), from, to)
    return
  }
  mkdirSync(to)
  chownSync(to, uid, gid)
  chmodSync(to, mode)
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const [path, copy] = [join(from, entry.name), join(to, entry.name)]
    if (entry.isDirectory()) copyTree(path, copy)
    else execFileSync('cp', ['-a', path, copy])
  }
}

function removeTree(path: string): void {
  for (const subvolume of isOnBtrfs(path) ? subvolumesIn(path) : []) {
    btrfs('property', 'set', '-ts', subvolume, 'ro', 'false')
    btrfs('subvolume', 'delete', subvolume)
  }
  // Releases are read-only on disk.
  execFileSync('chmod', ['-R', 'u+w', path])
  execFileSync('rm', ['-rf', path])
}

function subvolumesIn(folder: string): readonly string[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => join(folder, name))
    .flatMap((path) => (lstatSync(path).ino === SUBVOLUME_INODE ? [path] : subvolumesIn(path)))
}
