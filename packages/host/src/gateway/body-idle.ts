import type { IncomingMessage, ServerResponse } from 'node:http'
import { BODY_IDLE_MS } from './limits.ts'

/**
 * Ends the connection of a request of whose body nothing comes for twice `idleMs`. A body that waits because the
 * application does not read it is not the sender's fault, and time on hold does not count: call it when the request is
 * passed on.
 */
export function endSilentBody(
  request: IncomingMessage,
  response: ServerResponse,
  idleMs = BODY_IDLE_MS,
): void {
  const { socket } = request
  let bytesWhenLate = -1
  // Without a listener here, the server ends a connection that is idle for any reason.
  response.on('timeout', () => {
    const isLate = !request.complete && request.readableLength < request.readableHighWaterMark
    // Late a second time with nothing in between: the application may have begun to read just before the first.
    if (isLate && socket.bytesRead === bytesWhenLate) socket.destroy()
    else socket.setTimeout(request.complete ? 0 : idleMs)
    if (isLate) bytesWhenLate = socket.bytesRead
  })
  socket.setTimeout(idleMs)
  request.once('end', () => {
    // The server sets a time of its own when an answer is complete before the body.
    if (socket.timeout === idleMs) socket.setTimeout(0)
  })
}
