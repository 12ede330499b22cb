import { randomBytes } from 'node:crypto'
import type { TestAppliance } from './appliance.ts'

/** Signs the guestbook as its form does, with a file. */
export async function signOver(
  appliance: Pick<TestAppliance, 'request'>,
  fields: Readonly<Record<string, string>>,
  file?: { readonly name: string; readonly bytes: string },
) {
  const body = new FormData()
  for (const [name, value] of Object.entries(fields)) body.set(name, value)
  if (file) body.set('file', new Blob([file.bytes], { type: 'text/plain' }), file.name)
  const encoded = new Response(body)
  return appliance.request('/entries', {
    method: 'POST',
    headers: { 'content-type': encoded.headers.get('content-type') ?? '' },
    send: new Uint8Array(await encoded.arrayBuffer()),
  })
}

export interface Entry {
  readonly id: number
  readonly name: string
  readonly message: string
  readonly files: readonly { readonly id: string; readonly name: string }[]
}

/** The entries as the guestbook gives them to a program. */
export async function entriesOf(appliance: Pick<TestAppliance, 'request'>): Promise<readonly Entry[]> {
  const reply = await appliance.request('/entries.json')
  if (reply.status !== 200) throw new Error(`/entries.json answered ${reply.status}: ${reply.body}`)
  return (JSON.parse(reply.body) as { entries: Entry[] }).entries
}

/** A text that no other test writes. */
export const unique = (word: string) => `${word} ${randomBytes(6).toString('hex')}`
