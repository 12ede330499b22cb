import { createHash, randomUUID } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { Transform, Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { decode, encode } from './encoding.mjs'
import { placeOf } from './place.mjs'

/** Files on their way in; what lies here longer than a day was interrupted. */
const INCOMING = 'incoming'

/** The files of the guestbook, below `root`. A file is `{id, sha256, size}`, the same as its row. */
export function openStore(root) {
  const pathOf = (file) => join(root, placeOf(file))
  return {
    /** Streams `source` to disk. When this returns, the file and its name survive a power cut. */
    async receive(source) {
      const id = randomUUID()
      const part = join(root, INCOMING, id)
      await mkdir(dirname(part), { recursive: true })
      const { tap, result } = measure()
      try {
        await pipeline(source, tap, encode(), createWriteStream(part, { flags: 'wx' }))
        await syncPath(part, 'r+')
        const file = { id, ...result() }
        const folder = dirname(pathOf(file))
        if (await mkdir(folder, { recursive: true })) await syncPath(dirname(folder))
        await rename(part, pathOf(file))
        await syncPath(folder)
        return file
      } catch (error) {
        await rm(part, { force: true })
        throw error
      }
    },
    /** Writes the file's original bytes to `target`. Throws ENOENT before the first byte if it is not there. */
    async send(file, target) {
      const handle = await open(pathOf(file), 'r')
      await pipeline(handle.createReadStream(), decode(), target)
    },
    /** True if the file is on disk. */
    async has(file) {
      return stat(pathOf(file)).then(
        () => true,
        () => false,
      )
    },
    /** The state of the file on disk compared with its row. */
    async check(file) {
      const { tap, result } = measure()
      try {
        await pipeline(
          createReadStream(pathOf(file)),
          decode(),
          tap,
          new Writable({ write: (_c, _e, done) => done() }),
        )
      } catch (error) {
        return error.code === 'ENOENT' ? 'missing' : 'mismatched'
      }
      return result().sha256 === file.sha256 ? 'good' : 'mismatched'
    },
    async remove(file) {
      await rm(pathOf(file), { force: true })
    },
    /** Removes files older than `before` (Date) whose id `isKnown` denies. Returns how many. */
    async tidy(before, isKnown) {
      let removed = 0
      const found = await readdir(root, { recursive: true, withFileTypes: true })
      for (const item of found.filter((each) => each.isFile())) {
        const path = join(item.parentPath ?? item.path, item.name)
        const unfinished = dirname(path) === join(root, INCOMING)
        if ((await stat(path)).mtime >= before || (!unfinished && (await isKnown(item.name)))) continue
        await rm(path, { force: true })
        removed += 1
      }
      return removed
    },
  }
}

/** A pass-through that knows the sha256 and size of what went through it. */
function measure() {
  const hash = createHash('sha256')
  let size = 0
  const tap = new Transform({
    transform(chunk, _encoding, done) {
      hash.update(chunk)
      size += chunk.length
      done(null, chunk)
    },
  })
  return { tap, result: () => ({ sha256: hash.digest('hex'), size }) }
}

/** Makes a file (`r+`) or the names in a folder (`r`) durable. */
export async function syncPath(path, flags = 'r') {
  const handle = await open(path, flags)
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
