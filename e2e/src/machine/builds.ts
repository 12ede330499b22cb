import { cp, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DIST } from '../support/appliance.ts'
import { outputOf } from './commands.ts'

/**
 * A copy of the built program that says it is another version, in a folder that must not exist; it brings the same
 * programs, as a machine sees them at `release`. With `broken` its daemon ends as soon as it is started.
 */
export async function otherVersion(
  folder: string,
  version: string,
  release: string,
  options: { readonly broken?: boolean } = {},
): Promise<void> {
  for (const part of ['bin', 'caretaker']) await cp(join(DIST, part), join(folder, part), { recursive: true })
  await symlink(join(release, 'programs'), join(folder, 'programs'))
  const bundle = join(folder, 'caretaker')
  const own = `"${(await outputOf(join(DIST, 'bin/caretaker'), ['--version'])).trim()}"`
  let changed = 0
  for (const name of await readdir(bundle)) {
    const text = await readFile(join(bundle, name), 'utf8')
    if (!text.includes(own)) continue
    changed += 1
    await writeFile(join(bundle, name), text.replaceAll(own, `"${version}"`))
  }
  if (changed === 0) throw new Error(`no file of ${bundle} holds the version ${own}`)
  if (!options.broken) return
  const main = join(bundle, 'main.js')
  const text = await readFile(main, 'utf8')
  await writeFile(main, `if (process.argv[2] === 'daemon') process.exit(1);\n${text}`)
}
