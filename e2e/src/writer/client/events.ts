import { get } from 'node:https'
import { setTimeout as pause } from 'node:timers/promises'
import type { Context } from './context.ts'
import { nameOf } from './send.ts'

/** More than two heartbeats of the guestbook. */
const SILENCE_MS = 35_000
const AGAIN_AFTER_MS = 200

/** Reads the event stream until `done` fires; whenever it breaks off, it goes on after the last id. */
export async function readEvents(context: Context, done: AbortSignal): Promise<void> {
  let last = 0
  while (!done.aborted) {
    const trouble = await readOnce(context, last, done, (id) => {
      context.remember({ kind: 'event', id })
      last = id
    })
    if (done.aborted) return
    context.remember({ kind: 'trouble', of: 'events', what: trouble })
    await pause(AGAIN_AFTER_MS)
  }
}

/** Reads until the stream ends, and says why it did. */
function readOnce(
  { agent }: Context,
  last: number,
  done: AbortSignal,
  received: (id: number) => void,
): Promise<string> {
  return new Promise((resolve) => {
    const headers = { accept: 'text/event-stream', 'last-event-id': String(last) }
    const asked = get({ agent, path: '/events', headers, timeout: SILENCE_MS })
    const end = (why: string) => {
      done.removeEventListener('abort', stop)
      asked.destroy()
      resolve(why)
    }
    const stop = () => end('done')
    done.addEventListener('abort', stop)
    asked.on('timeout', () => end('timeout'))
    asked.on('error', (error) => end(nameOf(error)))
    asked.on('response', (response) => {
      if (response.statusCode !== 200) return end(`status ${response.statusCode}`)
      let text = ''
      response.setEncoding('utf8').on('data', (part: string) => {
        const events = (text + part).split('\n\n')
        text = events.pop() ?? ''
        for (const event of events) {
          const id = /^id: (\d+)$/m.exec(event)?.[1]
          if (id) received(Number(id))
        }
      })
      response.on('end', () => end('ended'))
      response.on('error', (error) => end(nameOf(error)))
    })
  })
}
