import { createHash } from 'node:crypto'
import { lstat, readdir, readFile, readlink } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'

/** Everything below a folder: name → kind, mode, and a hash of the content or the target of a link. */
export async function contentOf(folder: string): Promise<Readonly<Record<string, string>>> {
  const found: Record<string, string> = {}
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    const { mode } = await lstat(path)
    const content = entry.isFile()
      ? createHash('sha256')
          .update(await readFile(path))
          .digest('hex')
      : entry.isSymbolicLink()
        ? await readlink(path)
        : ''
    found[path.slice(folder.length + 1)] = `${mode.toString(8)} ${content}`
  }
  return found
}

const SHORTEST_PAUSE_MS = 50
const LONGEST_PAUSE_MS = 1000

/**
 * Polls until `holds` is true; it may throw meanwhile, and the last error is told. Between two looks it waits as long
 * as the last one took, a second at most: looks that start a program leave time to what is waited for.
 */
export async function eventually(
  what: string,
  holds: () => boolean | Promise<boolean>,
  withinMs = 120_000,
): Promise<void> {
  const deadline = performance.now() + withinMs
  let last: unknown
  for (;;) {
    const begun = performance.now()
    try {
      if (await holds()) return
      last = undefined
    } catch (error) {
      last = error
    }
    const now = performance.now()
    if (now > deadline) throw new Error(`Not within ${withinMs} ms: ${what}`, { cause: last })
    await pause(Math.min(Math.max(SHORTEST_PAUSE_MS, now - begun), LONGEST_PAUSE_MS))
  }
}

/** Whether a process of this pid is there. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
