import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createDirectoryStorage } from '@caretaker/appliance/storage/directory.ts'
import type { Storage } from '@caretaker/appliance/storage/storage.ts'
import { createHost } from '@caretaker/host/host.ts'
import type { TestAppliance } from '../support/appliance.ts'

/** How long the spoilt guestbook answers before it writes. */
const LATE_MS = 300

/** The guestbook acknowledges a number some time before it is in the database. */
export async function answerBeforeCommit(source: string): Promise<void> {
  await spoil(source, [
    ["import { HttpError } from './http-error.mjs'", "$&\nimport { createHash } from 'node:crypto'"],
    [
      'export async function addNumber(pool, store, n, bytes) {',
      `export async function addNumber(pool, store, n, bytes) {
  setTimeout(() => storeNumber(pool, store, n, bytes).catch(() => undefined), ${LATE_MS})
  return { n, sha256: createHash('sha256').update(bytes).digest('hex'), size: bytes.length }
}

async function storeNumber(pool, store, n, bytes) {`,
    ],
  ])
}

/** The guestbook keeps no file for every tenth number. */
export async function forgetFiles(source: string): Promise<void> {
  const receive = 'const file = await store.receive([bytes])'
  await spoil(source, [[receive, '$&\n  if (n % 10 === 0) await store.remove(file)']])
}

async function spoil(source: string, changes: readonly (readonly [string, string])[]): Promise<void> {
  const path = join(source, 'src/numbers.mjs')
  let text = await readFile(path, 'utf8')
  for (const [from, to] of changes) {
    if (!text.includes(from)) throw new Error(`the guestbook has no "${from}" any more`)
    text = text.replace(from, to)
  }
  await writeFile(path, text)
}

/** The data volume of a stopped appliance, for a switch that nobody announced. */
export async function storageOf({ state }: TestAppliance): Promise<Storage> {
  const { files, clock } = createHost()
  const root = join(state, 'data')
  const { uid, gid } = await stat(join(root, 'units/guestbook/current'))
  return createDirectoryStorage({
    files,
    clock,
    root,
    ...(process.getuid?.() === 0 ? { owner: { uid, gid } } : {}),
    warnPercent: 80,
    reservePercent: 1,
  })
}
