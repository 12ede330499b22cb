import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)
const ROOT = fileURLToPath(new URL('../../../', import.meta.url))
const PNPM = join(ROOT, `.tools/node_modules/@pnpm/exe.linux-${process.arch}/pnpm`)
const INSTALL = [
  'install',
  '--prod',
  '--frozen-lockfile',
  '--ignore-scripts',
  '--ignore-workspace',
  '--prefer-offline',
]

export type Release = 'v1' | 'v2' | 'v3' | 'v4' | 'v5'

/** Built releases of guestbook; each is built when it is first asked for. */
export interface Releases extends AsyncDisposable {
  folderOf(release: Release): Promise<string>
}

/** Releases in a temporary folder that disposing removes. */
export async function buildReleases(): Promise<Releases> {
  const home = await mkdtemp(join(tmpdir(), 'ct-releases-'))
  const built = new Map<Release, Promise<string>>()
  return {
    folderOf(release) {
      const known = built.get(release)
      if (known) return known
      const building = buildRelease(release, join(home, release))
      built.set(release, building)
      return building
    },
    async [Symbol.asyncDispose]() {
      await rm(home, { recursive: true, force: true })
    },
  }
}

/** Writes a release as a folder and installs its dependencies by its lock file, as Caretaker builds it. */
export async function buildRelease(release: Release, folder: string): Promise<string> {
  await run(process.execPath, [join(ROOT, 'examples/guestbook-releases/make.mjs'), release, folder])
  await run(PNPM, INSTALL, { cwd: folder })
  return folder
}
