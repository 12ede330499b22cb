import { createHash } from 'node:crypto'
import { join, posix } from 'node:path'
import dockerIgnoreModule from '@balena/dockerignore'
import { AppError } from '@caretaker/kernel/errors.ts'
import { sha256 } from '@caretaker/kernel/json.ts'
import { formatBytes, GIB } from '@caretaker/kernel/units.ts'
import type { Files } from '@caretaker/ports/files.ts'

/** A file or link of a source. Folders are there because of what is in them, as in git. */
export type TreeEntry =
  | { readonly kind: 'file'; readonly path: string; readonly executable: boolean }
  | { readonly kind: 'link'; readonly path: string; readonly target: string }

/** The names compose looks for, in its order. */
export const COMPOSE_FILES = [
  'compose.yaml',
  'compose.yml',
  'docker-compose.yaml',
  'docker-compose.yml',
] as const

/** Bounds of a source: far above any, far below what fills a disk. */
const MOST_ENTRIES = 100_000
const MOST_BYTES = 2 * GIB

/** Never part of a source: history, and what is installed from the lock file. */
const NEVER = ['.git', 'node_modules']

type Ignores = (path: string) => boolean
type ReadFiles = Pick<Files, 'list' | 'stat' | 'readLink' | 'readText' | 'read'>

/**
 * The files and links of a source, sorted by path. Left out: `.git`, `node_modules`, and what the `.dockerignore` of a
 * folder names in it; the compose file, Dockerfiles and `.dockerignore` itself always stay.
 * @throws AppError SOURCE_REFUSED for links that lead out, sockets and devices, or more than a source may hold.
 */
export async function listTree(files: ReadFiles, root: string): Promise<readonly TreeEntry[]> {
  const entries: TreeEntry[] = []
  const budget = { bytes: MOST_BYTES }
  await walk(files, root, '', [], entries, budget)
  return entries.toSorted((a, b) => (a.path < b.path ? -1 : 1))
}

/** What a source is known by: SHA-256 over paths, executable bits, link targets and contents, in hex. */
export async function hashTree(
  files: ReadFiles,
  root: string,
  entries: readonly TreeEntry[],
): Promise<string> {
  const hash = createHash('sha256')
  for (const entry of entries) {
    const content =
      entry.kind === 'link' ? sha256(entry.target) : sha256(await files.read(join(root, entry.path)))
    const mark = entry.kind === 'link' ? 'l' : entry.executable ? 'x' : 'f'
    hash.update(`${mark} ${content} ${entry.path}\0`)
  }
  return hash.digest('hex')
}

async function walk(
  files: ReadFiles,
  root: string,
  folder: string,
  ignores: readonly Ignores[],
  entries: TreeEntry[],
  budget: { bytes: number },
): Promise<void> {
  const own = await readIgnores(files, root, folder)
  const rules = own ? [...ignores, own] : ignores
  for (const { name } of (await files.list(join(root, folder))) ?? []) {
    if (NEVER.includes(name)) continue
    const path = folder === '' ? name : `${folder}/${name}`
    const info = await files.stat(join(root, path))
    if (!info) continue
    // A rule with "!" may take back a file inside an ignored folder, so folders are always looked into.
    if (info.kind === 'folder') await walk(files, root, path, rules, entries, budget)
    if (info.kind === 'folder' || (!alwaysKept(name) && rules.some((ignored) => ignored(path)))) continue
    if (info.kind === 'other') throw refuse(root, `"${path}" is neither a file nor a folder nor a link`)
    budget.bytes -= info.sizeBytes
    if (budget.bytes < 0) throw refuse(root, `it holds more than ${formatBytes(MOST_BYTES)}`)
    if (entries.length >= MOST_ENTRIES) throw refuse(root, `it holds more than ${MOST_ENTRIES} files`)
    if (info.kind === 'file') entries.push({ kind: 'file', path, executable: (info.mode & 0o111) !== 0 })
    else entries.push({ kind: 'link', path, target: await checkedTarget(files, root, path) })
  }
}

async function readIgnores(files: ReadFiles, root: string, folder: string): Promise<Ignores | undefined> {
  const text = await files.readText(join(root, folder, '.dockerignore'))
  if (text === undefined) return undefined
  const rules = dockerIgnoreModule.default().add(text.split(/\r?\n/))
  const prefix = folder === '' ? '' : `${folder}/`
  return (path) => rules.ignores(path.slice(prefix.length))
}

function alwaysKept(name: string): boolean {
  return (
    name === '.dockerignore' || /^Dockerfile(\.|$)/.test(name) || COMPOSE_FILES.some((file) => file === name)
  )
}

async function checkedTarget(files: ReadFiles, root: string, path: string): Promise<string> {
  const target = (await files.readLink(join(root, path))) ?? ''
  const resolved = posix.normalize(posix.join(posix.dirname(path), target))
  if (target === '' || target.startsWith('/') || resolved === '..' || resolved.startsWith('../')) {
    throw refuse(root, `the link "${path}" leads out of it, to "${target}"`)
  }
  return target
}

function refuse(root: string, why: string): AppError {
  return new AppError('SOURCE_REFUSED', {
    what: `The source ${root} cannot be used`,
    why,
    next: 'Take it out of the source, or name it in ".dockerignore"',
  })
}
