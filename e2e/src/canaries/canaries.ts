import { randomBytes } from 'node:crypto'
import type { Dirent } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'

/** A secret that was planted, and what it is called in a failure. */
export interface Canary {
  readonly name: string
  readonly value: string
}

/** A value that stands nowhere else. */
export const fresh = (name: string) => `${name}-${randomBytes(12).toString('hex')}`

/** Lines of a key that are looked for one by one, as programs print them. */
const SHORTEST_LINE = 40

/** Every form in which a canary would give itself away. */
function formsOf(value: string): readonly string[] {
  const lines = value.split('\n').filter((line) => line.length >= SHORTEST_LINE && !line.startsWith('-----'))
  const inside = [0, 1, 2].flatMap((before) => {
    const encoded = Buffer.concat([Buffer.alloc(before), Buffer.from(value)])
    const [start, end] = [Math.ceil((before * 8) / 6), Math.floor((encoded.length * 8) / 6)]
    return [encoded.toString('base64').slice(start, end), encoded.toString('base64url').slice(start, end)]
  })
  return [
    ...new Set([
      value.trim(),
      ...lines,
      encodeURIComponent(value),
      JSON.stringify(value).slice(1, -1),
      Buffer.from(value).toString('hex'),
      ...inside,
    ]),
  ]
}

export interface Finder {
  /** Names of the canaries in a text. */
  in(text: string): readonly string[]
}

export function finderOf(canaries: readonly Canary[]): Finder {
  const looked = canaries.map(({ name, value }) => ({ name, forms: formsOf(value) }))
  return {
    in: (text) =>
      looked.filter(({ forms }) => forms.some((form) => text.includes(form))).map(({ name }) => name),
  }
}

/** Where canaries lie below a folder: `file: names`. `allowed` gives those that may lie in a file (path below the folder). */
export async function canariesInFiles(
  folder: string,
  finder: Finder,
  allowed: (path: string) => 'any' | readonly string[],
): Promise<readonly string[]> {
  const found: string[] = []
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const path = join(entry.parentPath, entry.name).slice(folder.length + 1)
    const may = allowed(path)
    if (may === 'any') continue
    const names = finder.in(await content(entry)).filter((name) => !may.includes(name))
    if (names.length > 0) found.push(`${path}: ${names.join(', ')}`)
  }
  return found
}

/** Temporary files come and go. */
async function content(entry: Dirent): Promise<string> {
  return readFile(join(entry.parentPath, entry.name), 'latin1').then(
    (text) => Buffer.from(text, 'latin1').toString('utf8'),
    () => '',
  )
}
