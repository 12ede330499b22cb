import type { Stats } from 'node:fs'
import { lstat, mkdir, open, readdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { assertAbsent } from './copy-tree.ts'
import { isReplaced, isVanished, runCp, syncFileSystem } from './cp-program.ts'
import { unlessErrno } from './errno.ts'

/** How often a copy is gone over for files that were replaced in the very moment in which they were opened. */
const ROUNDS = 10
/** Names for one call of `cp`: the kernel takes about 2 MB of them. */
const NAMES_AT_ONCE = 1000

/** A folder of which something is left out, at it or below; the others are copied whole. */
interface Part {
  readonly path: string
  readonly info: Stats
  /** Names of entries that are copied with all that is in them. */
  readonly whole: readonly string[]
  readonly parts: readonly Part[]
}

/** Copies a folder in which others write. */
export async function copyLiveTree(
  from: string,
  to: string,
  leaveOut: (path: string) => boolean,
  signal?: AbortSignal,
): Promise<void> {
  const info = await lstat(from)
  await assertAbsent(to)
  const part = await survey(from, '', info, leaveOut)
  if (part) await copyPart(from, to, part, signal)
  else await copyChanging(['-T', '--', from, to], from, signal)
  await syncFileSystem(dirname(to), signal)
}

/** Undefined when nothing in the folder is left out, or it is gone. */
async function survey(
  root: string,
  path: string,
  info: Stats,
  leaveOut: (path: string) => boolean,
): Promise<Part | undefined> {
  const folder = join(root, path)
  const entries = (await unlessErrno(readdir(folder, { withFileTypes: true }), ['ENOENT'], undefined)) ?? []
  const [whole, parts]: [string[], Part[]] = [[], []]
  let isWhole = true
  for (const entry of entries) {
    const below = path === '' ? entry.name : `${path}/${entry.name}`
    if (leaveOut(below)) isWhole = false
    else {
      const inner =
        entry.isDirectory() && (await unlessErrno(lstat(join(root, below)), ['ENOENT'], undefined))
      const part = inner ? await survey(root, below, inner, leaveOut) : undefined
      if (part) parts.push(part)
      else whole.push(entry.name)
    }
  }
  return isWhole && parts.length === 0 ? undefined : { path, info, whole, parts }
}

async function copyPart(
  root: string,
  to: string,
  { path, info, whole, parts }: Part,
  signal: AbortSignal | undefined,
): Promise<void> {
  const target = join(to, path)
  await mkdir(target, 0o700)
  for (let index = 0; index < whole.length; index += NAMES_AT_ONCE) {
    const names = whole.slice(index, index + NAMES_AT_ONCE)
    await copyChanging(['-t', target, '--', ...names], join(root, path), signal)
  }
  for (const part of parts) await copyPart(root, to, part, signal)
  await using handle = await open(target, 'r')
  if (process.getuid?.() === 0) await handle.chown(info.uid, info.gid)
  await handle.chmod(info.mode & 0o7777)
  await handle.utimes(info.atimeMs / 1000, info.mtimeMs / 1000)
}

/** What is gone is left out; what was replaced is copied in another round, with what has changed since. */
async function copyChanging(
  args: readonly string[],
  cwd: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  for (let round = 1; ; round += 1) {
    const { lines, error } = await runCp(round === 1 ? args : ['-u', ...args], { cwd, signal })
    if (!error || (lines.length > 0 && lines.every(isVanished))) return
    const isExpected = lines.length > 0 && lines.every((line) => isVanished(line) || isReplaced(line))
    if (!isExpected || round === ROUNDS) throw error
  }
}
