import type { ClientRequest, IncomingMessage } from 'node:http'
import { request } from 'node:https'
import type { Context } from './context.ts'

export interface Sending {
  readonly path: string
  readonly headers: Readonly<Record<string, string | number>>
  /** Ends when it breaks off: what was not sent is not asked for. */
  readonly body: Iterable<Uint8Array> | AsyncIterable<Uint8Array>
  /** For all of it, in ms. */
  readonly limitMs: number
}

/** The answer, whole; or why there is none: `refused`, `reset`, `timeout`, or a code of the operating system. */
export type Outcome =
  | { readonly status: number; readonly body: string; readonly trouble?: undefined }
  | { readonly trouble: string; readonly status?: undefined }

/** Sends a POST once. Never throws. */
export function post({ agent }: Context, { path, headers, body, limitMs }: Sending): Promise<Outcome> {
  return new Promise((resolve) => {
    const sent = request({ agent, path, method: 'POST', headers: { accept: 'application/json', ...headers } })
    let isOver = false
    const end = (outcome: Outcome) => {
      if (isOver) return
      isOver = true
      clearTimeout(limit)
      resolve(outcome)
      // An answer in the middle of a body leaves a connection that nothing else can use.
      if (outcome.trouble !== undefined || !sent.writableFinished) sent.destroy()
    }
    const limit = setTimeout(() => end({ trouble: 'timeout' }), limitMs)
    const fail = (error: NodeJS.ErrnoException) => end({ trouble: nameOf(error) })
    sent.on('error', fail)
    sent.on('response', (response: IncomingMessage) => {
      let text = ''
      response.setEncoding('utf8').on('data', (part: string) => {
        text += part
      })
      response.on('end', () => end({ status: response.statusCode ?? 0, body: text }))
      response.on('error', fail)
    })
    void feed(sent, body, () => isOver).catch(fail)
  })
}

async function feed(sent: ClientRequest, body: Sending['body'], isOver: () => boolean): Promise<void> {
  for await (const part of body) {
    if (isOver() || sent.destroyed) return
    sent.write(part)
  }
  sent.end()
}

/** The kind of trouble, as it is counted. */
export function nameOf(error: NodeJS.ErrnoException): string {
  const { code, message } = error
  if (code === 'ECONNREFUSED') return 'refused'
  return code === 'ECONNRESET' || code === 'EPIPE' ? 'reset' : (code ?? message)
}
