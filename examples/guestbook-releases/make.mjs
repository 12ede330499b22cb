// Writes a release of guestbook as a folder, or all of them as a git repository. See README.md beside this file.
import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const HERE = fileURLToPath(new URL('.', import.meta.url))
const BASE = fileURLToPath(new URL('../guestbook/', import.meta.url))
/** What is laid over the base, in order. v3, v4 and v5 all follow v2. */
const OVERLAYS = { v1: [], v2: ['v2'], v3: ['v2', 'v3'], v4: ['v2', 'v4'], v5: ['v2', 'v5'] }
/** What happens in each, as the subject of its commit. */
const SUBJECTS = {
  v1: 'A guestbook',
  v2: 'Find entries by visitor, applaud, and keep files in folders by hash',
  v3: 'Compress files, and let every visitor sign once',
  v4: 'Name pages in the language of the visitor',
  v5: 'Fill the cache of visitors before serving',
}
/** Fixed, so that the commits are the same on every machine. */
const DATE = '2026-01-01T00:00:00Z'

const [first, second, ...rest] = process.argv.slice(2)
if (!second || rest.length > 0 || (first !== '--git' && !OVERLAYS[first])) {
  console.error('Usage: node make.mjs v1|v2|v3|v4|v5 FOLDER\n       node make.mjs --git FOLDER')
  process.exit(2)
}
if (existsSync(second) && readdirSync(second).length > 0) {
  console.error(`${second} is not empty; name a new folder`)
  process.exit(2)
}
mkdirSync(second, { recursive: true })
if (first === '--git') writeRepository(second)
else writeRelease(first, second)
console.log(second)

function writeRelease(release, folder) {
  for (const source of [BASE, ...OVERLAYS[release].map((name) => join(HERE, name))]) {
    cpSync(source, folder, { recursive: true, filter: (path) => basename(path) !== 'node_modules' })
  }
}

function writeRepository(folder) {
  git(folder, ['init', '--quiet', '--initial-branch=main'])
  for (const release of Object.keys(OVERLAYS)) {
    for (const name of readdirSync(folder))
      if (name !== '.git') rmSync(join(folder, name), { recursive: true })
    writeRelease(release, folder)
    git(folder, ['add', '--all'])
    git(folder, ['commit', '--quiet', '--no-verify', '--message', SUBJECTS[release]])
    git(folder, ['tag', release])
  }
}

function git(folder, args) {
  // Nothing of the caller's own git reaches this repository: not its settings, and not a repository it is in.
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('GIT_'))
  const identity = { NAME: 'Guestbook', EMAIL: 'guestbook@example.invalid', DATE }
  const names = Object.entries(identity).flatMap(([key, value]) => [
    [`GIT_AUTHOR_${key}`, value],
    [`GIT_COMMITTER_${key}`, value],
  ])
  const env = {
    ...Object.fromEntries([...inherited, ...names]),
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_CONFIG_NOSYSTEM: '1',
  }
  execFileSync('git', args, { cwd: folder, env, stdio: ['ignore', 'inherit', 'inherit'] })
}
