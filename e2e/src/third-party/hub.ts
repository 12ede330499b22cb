import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { outputOf } from '../machine/commands.ts'
import { APPLICATIONS, fillNode, postgresRecipe, TREES } from './images.ts'
import { packLayer, pushImage, type Registry, startRegistry } from './registry.ts'

const CACHE = '/var/cache/caretaker-engines'
/** The major of which Debian 12 has a server. */
export const POSTGRES_MAJOR = 15

/**
 * A registry with the images of the examples, to be named as `--registry-mirror` of an engine: what a compose file names
 * without a host is fetched from here. The images are made once and kept in the cache of the engines.
 */
export async function startHub(): Promise<Registry> {
  const folder = join(CACHE, `images-${await recipeHash()}`)
  if (!existsSync(folder)) await fillHub(folder)
  return startRegistry(folder, { readOnly: true })
}

/** Changes with how the images are made; what they are made from counts by itself. */
const RECIPE = 3

async function recipeHash(): Promise<string> {
  const hash = createHash('sha256').update(`${RECIPE}`)
  const trees = await readdir(TREES, { recursive: true, withFileTypes: true })
  const files = trees.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  for (const file of files.toSorted()) hash.update(await readFile(file))
  hash.update(await outputOf('dpkg-query', ['--show', `postgresql-${POSTGRES_MAJOR}`, 'busybox-static']))
  return hash.digest('hex').slice(0, 16)
}

async function fillHub(folder: string): Promise<void> {
  const fresh = `${folder}.${process.pid}`
  await mkdir(fresh, { recursive: true })
  const work = await mkdtemp(join(tmpdir(), 'ct-images-'))
  const store = join(work, 'store')
  try {
    await using registry = await startRegistry(fresh)
    const nodeRoot = join(work, 'node')
    await fillNode(nodeRoot, store)
    const node = await packLayer(nodeRoot, join(work, 'node.tar.gz'))
    for (const { name, tag, fill, config } of APPLICATIONS) {
      const root = join(work, name.replace('/', '-'))
      await mkdir(root)
      await fill(root, store)
      const layer = await packLayer(root, `${root}.tar.gz`)
      await pushImage(registry, name, tag, [node, layer], config)
      await rm(root, { recursive: true })
    }
    const postgres = postgresRecipe(POSTGRES_MAJOR)
    const root = join(work, 'postgres')
    await postgres.fill(root, store)
    const layer = await packLayer(root, `${root}.tar.gz`)
    await pushImage(registry, postgres.name, postgres.tag, [layer], postgres.config)
  } finally {
    await rm(work, { recursive: true, force: true })
  }
  // Of two that filled one at once the first one stays.
  await rename(fresh, folder).catch(() => rm(fresh, { recursive: true, force: true }))
}
