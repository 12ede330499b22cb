import { readdir } from 'node:fs/promises'
import { request } from 'node:http'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'

/** Sends the form as a browser without JavaScript does. */
export async function sign(
  url: string,
  fields: Record<string, string>,
  file?: { name: string; bytes: string },
) {
  const body = new FormData()
  for (const [name, value] of Object.entries(fields)) body.set(name, value)
  if (file) body.set('file', new Blob([file.bytes], { type: 'text/html' }), file.name)
  return fetch(`${url}/entries`, { method: 'POST', body, redirect: 'manual' })
}

/** Shorter than guestbook's heartbeat of 15 s, at which it looks for entries it was not told of. */
const READ_TIMEOUT_MS = 10_000

/** What guestbook's JSON answers may have; each has some of it. */
export interface Answer {
  readonly ok: boolean
  readonly reason: string
  readonly entries: {
    readonly id: number
    readonly name: string
    readonly files: { readonly id: string }[]
  }[]
  readonly numbers: { readonly n: number; readonly sha256: string }[]
  readonly rows: number
  readonly missing: number[]
  readonly mismatched: number[]
}

export async function json(url: string): Promise<Answer> {
  return (await fetch(url)).json() as Promise<Answer>
}

/** Sends the number `n` with a body made from it. */
export async function addNumber(url: string, n: number) {
  const body = Buffer.from(`number ${n} `.repeat(50)).toString('base64')
  return fetch(`${url}/numbers`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ n, body }),
  })
}

/** Reads an event stream until `count` entries have come, and returns their names. */
export async function readEvents(
  url: string,
  count: number,
  headers: Record<string, string> = {},
  opened?: () => unknown,
) {
  const names: string[] = []
  const answer = await fetch(url, { headers, signal: AbortSignal.timeout(READ_TIMEOUT_MS) })
  let text = ''
  let asked = false
  for await (const chunk of answer.body!.pipeThrough(new TextDecoderStream())) {
    text += chunk
    if (!asked) await opened?.()
    asked = true
    names.length = 0
    for (const [, data] of text.matchAll(/^data: (.*)$/gm)) names.push(JSON.parse(data!).name)
    if (names.length >= count) break
  }
  return names
}

/** Polls until `holds` answers true; it may throw meanwhile. */
export async function until(what: string, holds: () => Promise<boolean>) {
  const deadline = performance.now() + 60_000
  while (!(await holds().catch(() => false))) {
    if (performance.now() > deadline) throw new Error(`Not within 60 s: ${what}`)
    await pause(50)
  }
}

/** The files below a folder, without the one for unfinished uploads, as relative paths. */
export async function filesIn(folder: string): Promise<string[]> {
  const found = await readdir(folder, { recursive: true, withFileTypes: true })
  return found
    .filter((each) => each.isFile())
    .map((each) => join(each.parentPath, each.name).slice(folder.length + 1))
    .sort()
}

/** An open form that is sent as the test writes it; its boundary is `b`. */
export function slowUpload(url: string) {
  const upload = request(`${url}/entries`, {
    method: 'POST',
    headers: { 'content-type': 'multipart/form-data; boundary=b' },
  })
  upload.on('error', () => undefined)
  return upload
}
