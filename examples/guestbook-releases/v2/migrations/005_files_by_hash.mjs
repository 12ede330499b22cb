import { mkdir, open, rename } from 'node:fs/promises'
import { join } from 'node:path'

/** Moves every file into a folder named by the first two characters of its hash. Safe to repeat. */
export async function up(client, root) {
  const { rows } = await client.query(
    'select id, sha256 from uploads union all select id, sha256 from numbers',
  )
  const folders = new Set([root])
  for (const { id, sha256 } of rows) {
    const folder = join(root, sha256.slice(0, 2))
    if (!folders.has(folder)) await mkdir(folder, { recursive: true })
    folders.add(folder)
    await rename(join(root, id), join(folder, id)).catch((error) => {
      if (error.code !== 'ENOENT') throw error
    })
  }
  for (const folder of folders) {
    const handle = await open(folder)
    await handle.sync()
    await handle.close()
  }
}
