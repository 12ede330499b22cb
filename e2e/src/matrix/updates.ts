import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Release } from '../support/releases.ts'

/** Which release serves at the end, as its visitors see it. */
export type Outcome = 'OLD' | 'NEW'

/** One kind of update of the guestbook. All begin with v1 and its data. */
export interface TriedUpdate {
  readonly name: string
  /** What the source holds when it is updated. */
  readonly to: Release
  /** Changes that source. */
  readonly change?: (folder: string) => Promise<void>
  /** Version of the new release. */
  readonly version: string
  /** How it ends undisturbed. One that ends OLD must never end NEW. */
  readonly ends: Outcome
  /** Where the new release keeps the file of a row. */
  readonly placeOf: (id: string, sha256: string) => string
}

const flat = (id: string) => id
const byHash = (id: string, sha256: string) => join(sha256.slice(0, 2), id)
/** Version of {@link oldPlaceOf}. */
export const OLD_VERSION = '1'
export const oldPlaceOf = flat

/** v1 with other code and another label, and nothing to migrate. */
async function relabel(folder: string): Promise<void> {
  const changes = [
    ['compose.yml', 'version: "1"', 'version: "1.1"'],
    ['src/release.mjs', "release = '1'", "release = '1.1'"],
  ] as const
  for (const [file, from, to] of changes) {
    const text = await readFile(join(folder, file), 'utf8')
    if (!text.includes(from)) throw new Error(`${file} of the guestbook has no ${from} any more`)
    await writeFile(join(folder, file), text.replace(from, to))
  }
}

export const UPDATES: readonly TriedUpdate[] = [
  { name: 'migrates', to: 'v2', version: '2', ends: 'NEW', placeOf: byHash },
  { name: 'code only', to: 'v1', change: relabel, version: '1.1', ends: 'NEW', placeOf: flat },
  { name: 'migration fails half-way', to: 'v3', version: '3', ends: 'OLD', placeOf: byHash },
  { name: 'smoke test fails', to: 'v4', version: '4', ends: 'OLD', placeOf: byHash },
]
