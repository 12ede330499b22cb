import { execFile } from 'node:child_process'
import { chmod, chown, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { DIST, type Person } from './appliance.ts'
import type { Release } from './releases.ts'

const run = promisify(execFile)
const MAKE = fileURLToPath(new URL('../../../examples/guestbook-releases/make.mjs', import.meta.url))

export const isRoot = process.getuid?.() === 0

/** Sources of guestbook, and the built program, where somebody may read them. */
export interface Workshop extends AsyncDisposable {
  readonly person: Person | undefined
  readonly dist: string
  /** A release as a folder. */
  folder(release: Release): Promise<string>
  /** All releases as a git repository with a tag each; gives its URL. */
  repository(): Promise<string>
}

/** For whoever runs the tests. */
export async function ownWorkshop(): Promise<Workshop> {
  return workshop(undefined, DIST, await mkdtemp(join(tmpdir(), 'ct-workshop-')))
}

/** For the user `nobody`, when this is root: with a copy of the program, as the checkout may not be open to others. */
export async function nobodysWorkshop(): Promise<Workshop> {
  const id = async (flag: string) => Number((await run('id', [flag, 'nobody'])).stdout)
  const person = { uid: await id('-u'), gid: await id('-g') }
  const home = await mkdtemp(join(tmpdir(), 'ct-workshop-'))
  await chmod(home, 0o755)
  await chown(home, person.uid, person.gid)
  const dist = join(home, 'dist')
  await run('cp', ['-a', '--reflink=auto', DIST, dist])
  return workshop(person, dist, home)
}

function workshop(person: Person | undefined, dist: string, home: string): Workshop {
  const make = async (what: string, name: string) => {
    const folder = join(home, name)
    // A repository belongs to whoever uses it, or git refuses it.
    await run(process.execPath, [MAKE, what, folder], { ...person })
    return folder
  }
  const made = new Map<string, Promise<string>>()
  const once = (what: string, name: string) => {
    const known = made.get(what) ?? make(what, name)
    made.set(what, known)
    return known
  }
  return {
    person,
    dist,
    folder: (release) => once(release, `guestbook-${release}`),
    repository: async () => `file://${await once('--git', 'guestbook.git')}`,
    async [Symbol.asyncDispose]() {
      await rm(home, { recursive: true, force: true })
    },
  }
}
