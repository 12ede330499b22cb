import { createHash } from 'node:crypto'
import { open, readFile, rename } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'

/** Rewrites every file compressed, in its place. A file that is compressed already is left alone: safe to repeat. */
export async function up(client, root) {
  const { rows } = await client.query(
    'select id, sha256 from uploads union all select id, sha256 from numbers',
  )
  for (const { id, sha256 } of rows) {
    const path = join(root, sha256.slice(0, 2), id)
    const bytes = await readFile(path)
    if (createHash('sha256').update(bytes).digest('hex') !== sha256) continue
    const part = `${path}.part`
    const handle = await open(part, 'w')
    await handle.writeFile(await promisify(gzip)(bytes))
    await handle.sync()
    await handle.close()
    await rename(part, path)
    const folder = await open(dirname(path))
    await folder.sync()
    await folder.close()
  }
}
