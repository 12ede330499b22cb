import { request } from 'node:http'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'

/** Posts to a unix socket and gives the lines of the answer as they come. */
export async function* streamLines(call: {
  readonly socketPath: string
  readonly path: string
  readonly body: string
  readonly signal: AbortSignal
}): AsyncGenerator<string> {
  const response = await new Promise<Readable>((resolve, reject) => {
    const sent = request(
      {
        socketPath: call.socketPath,
        path: call.path,
        method: 'POST',
        headers: { 'content-type': 'application/json', host: 'caretaker' },
        signal: call.signal,
      },
      resolve,
    )
    sent.on('error', reject)
    sent.end(call.body)
  })
  for await (const line of createInterface({ input: response, crlfDelay: Number.POSITIVE_INFINITY })) {
    if (line !== '') yield line
  }
}
