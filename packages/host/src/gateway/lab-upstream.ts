import { createHash } from 'node:crypto'
import { EventEmitter, once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { LabEcho, LabUpstream } from '@caretaker/appliance/gateway/lab.ts'
import { WebSocketServer } from 'ws'

/** The application of a {@link LabUpstream} on a port of its own, with a way to end it. */
export async function startLabUpstream(): Promise<LabUpstream & { close(): Promise<void> }> {
  const seen: string[] = []
  const waiting = new Set<object>()
  const listeners = new Set<ServerResponse>()
  /** Kept connections that will end without an answer to the next request. */
  const stale = new WeakSet<object>()
  const gate = new EventEmitter().setMaxListeners(0)
  let abandoned = 0

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const path = request.url ?? ''
    seen.push(`${request.method} ${path}`)
    if (stale.has(request.socket)) {
      request.socket.destroy()
      return
    }
    response.once('close', () => {
      if (!response.writableFinished) abandoned++
    })
    if (path.startsWith('/crash')) {
      request.socket.destroy()
    } else if (path.startsWith('/events')) {
      listeners.add(response)
      response.once('close', () => listeners.delete(response))
      response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders()
    } else {
      if (path.startsWith('/wait')) {
        waiting.add(request)
        response.once('close', () => waiting.delete(request))
        await once(gate, 'go')
      }
      const echo = await echoOf(request)
      response.setHeader('set-cookie', ['one=1', 'two=2'])
      response.end(JSON.stringify(echo))
      if (path.startsWith('/stale')) stale.add(request.socket)
    }
  }

  const server = createServer((request, response) => {
    answer(request, response).catch(() => response.destroy())
  })
  const sockets = new WebSocketServer({ server })
  sockets.on('connection', (socket) =>
    socket.on('message', (data) => socket.send((data as Buffer).toString())),
  )
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    endpoint: { host: '127.0.0.1', port: (server.address() as AddressInfo).port },
    seen,
    get waiting() {
      return waiting.size
    },
    get abandoned() {
      return abandoned
    },
    get listening() {
      return listeners.size
    },
    send(data) {
      for (const listener of listeners) listener.write(`data: ${data}\n\n`)
    },
    letGo() {
      gate.emit('go')
    },
    async close() {
      for (const socket of sockets.clients) socket.terminate()
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

async function echoOf(request: IncomingMessage): Promise<LabEcho> {
  const hash = createHash('sha256')
  let bytes = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    hash.update(chunk)
    bytes += chunk.length
  }
  return {
    method: request.method ?? '',
    path: request.url ?? '',
    headers: request.headers as Record<string, string>,
    bytes,
    sha256: hash.digest('hex'),
  }
}
