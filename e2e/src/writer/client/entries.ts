import { createHash } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import type { Request } from '../memory.ts'
import type { Context } from './context.ts'
import { type Outcome, post } from './send.ts'

const EVERY_MS = 250
const LIMIT_MS = 10_000
/** After a failure, so that a closed door is not stormed. */
const PAUSE_MS = 200
const BOUNDARY = 'writer-boundary-7f3a'
const PART_BYTES = 16 * 1024
const PART_EVERY_MS = 100

/** Signs the guestbook again and again, one entry after the other. An entry is sent once, whatever comes of it. */
export async function writeEntries(context: Context): Promise<void> {
  for (let count = 1; !context.finishing.aborted; count += 1) {
    const name = `entry ${count} of ${context.tag}`
    const json = Buffer.from(JSON.stringify({ name, message: 'kept?' }))
    const headers = { 'content-type': 'application/json', 'content-length': json.length }
    const outcome = await post(context, { path: '/entries', headers, body: [json], limitMs: LIMIT_MS })
    await note(context, 'entry', outcome, { name })
    await pause(EVERY_MS)
  }
}

/** Uploads files that take `lastsMs` to send, one after the other; each is sent once. */
export async function uploadFiles(context: Context, lastsMs: number): Promise<void> {
  for (let count = 1; !context.finishing.aborted; count += 1) {
    const name = `upload ${count} of ${lastsMs} ms of ${context.tag}`
    const parts = Math.max(1, Math.round(lastsMs / PART_EVERY_MS))
    const sum = createHash('sha256')
    for (let part = 0; part < parts; part += 1) sum.update(partOf(name, part))
    const headers = { 'content-type': `multipart/form-data; boundary=${BOUNDARY}` }
    const limitMs = lastsMs + LIMIT_MS
    const outcome = await post(context, { path: '/entries', headers, body: form(name, parts), limitMs })
    await note(context, 'upload', outcome, { name, sha256: sum.digest('hex') })
  }
}

async function note(
  context: Context,
  of: Request,
  outcome: Outcome,
  entry: { readonly name: string; readonly sha256?: string },
): Promise<void> {
  if (outcome.status === 201) {
    const { id } = JSON.parse(outcome.body) as { id?: unknown }
    if (typeof id === 'number') context.remember({ kind: 'entry', id, ...entry })
    else
      context.remember({
        kind: 'wrong',
        why: `"${entry.name}" was answered with ${outcome.body.slice(0, 200)}`,
      })
    return
  }
  if (outcome.status !== undefined && outcome.status < 500) {
    context.remember({ kind: 'wrong', why: `"${entry.name}" was answered with ${outcome.status}` })
    return
  }
  context.remember({ kind: 'trouble', of, what: outcome.trouble ?? `status ${outcome.status}` })
  context.remember({ kind: 'open entry', ...entry })
  await pause(PAUSE_MS)
}

async function* form(name: string, parts: number): AsyncGenerator<Uint8Array> {
  const field = (key: string, value: string) =>
    `--${BOUNDARY}\r\ncontent-disposition: form-data; name="${key}"\r\n\r\n${value}\r\n`
  const file = `--${BOUNDARY}\r\ncontent-disposition: form-data; name="file"; filename="long.bin"\r\ncontent-type: application/octet-stream\r\n\r\n`
  yield Buffer.from(field('name', name) + field('message', 'a long file') + file)
  for (let part = 0; part < parts; part += 1) {
    yield partOf(name, part)
    await pause(PART_EVERY_MS)
  }
  yield Buffer.from(`\r\n--${BOUNDARY}--\r\n`)
}

/** The bytes of one part of an upload: each part of each upload has others. */
function partOf(name: string, part: number): Buffer {
  const seed = createHash('sha512').update(`${name} ${part}`).digest()
  return Buffer.alloc(PART_BYTES, seed)
}
