import { createHash, randomBytes } from 'node:crypto'
import { EventEmitter, once } from 'node:events'
import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { connect } from 'node:net'
import { createInterface } from 'node:readline'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setImmediate } from 'node:timers/promises'
import { connect as connectTls } from 'node:tls'
import type { Endpoint, GatewayConfig } from '@caretaker/appliance/gateway/gateway-config.ts'
import type { GatewayLab, LabAnswer, LabRequest } from '@caretaker/appliance/gateway/lab.ts'
import { MIB } from '@caretaker/kernel/units.ts'
import WebSocket from 'ws'

type ClientCalls = Pick<GatewayLab, 'request' | 'openEvents' | 'openWebSocket' | 'upload' | 'abandon'>

/** The visitors of a {@link GatewayLab}. Every call has a connection of its own. */
export function createLabClient(config: GatewayConfig, authorityPem: string): ClientCalls {
  const open = (wanted: LabRequest): ClientRequest => {
    const endpoint = (wanted.plain ? config.http : config.https) as Endpoint
    const options = {
      ...endpoint,
      agent: false as const,
      path: wanted.path ?? '/',
      method: wanted.method ?? 'GET',
      headers: { host: wanted.host, ...wanted.headers },
      ...(wanted.from === undefined ? {} : { localAddress: wanted.from }),
    }
    return wanted.plain
      ? httpRequest(options)
      : httpsRequest({ ...options, servername: wanted.host, ca: authorityPem })
  }
  return {
    async request(wanted) {
      const request = wanted.preface ? await openBehind(config, authorityPem, wanted) : open(wanted)
      request.end(wanted.body)
      return await answerOf(request)
    },
    async upload(wanted, sizeBytes) {
      const hash = createHash('sha256')
      const request = open(wanted)
      const answer = answerOf(request)
      await pipeline(Readable.from(madeUp(sizeBytes, hash)), request)
      return { ...(await answer), sha256: hash.digest('hex') }
    },
    abandon(wanted, signal) {
      const request = open(wanted)
      request.on('error', () => undefined)
      signal.addEventListener('abort', () => request.destroy())
      request.end(wanted.body)
    },
    async openEvents(wanted) {
      const request = open(wanted)
      request.end()
      const [response] = (await once(request, 'response')) as [IncomingMessage]
      const lines = createInterface(response)[Symbol.asyncIterator]()
      return {
        headers: response.headers,
        async next() {
          for (;;) {
            const { value, done } = await lines.next()
            if (done) throw new Error('the stream has ended')
            if (value.startsWith('data: ')) return value.slice('data: '.length)
          }
        },
        close: () => request.destroy(),
      }
    },
    async openWebSocket(wanted) {
      const socket = new WebSocket(`wss://${config.https.host}:${config.https.port}${wanted.path ?? '/'}`, {
        headers: { host: wanted.host, ...wanted.headers },
        ca: authorityPem,
      })
      const messages: string[] = []
      const arrivals = new EventEmitter()
      socket.on('message', (data) => {
        messages.push((data as Buffer).toString())
        arrivals.emit('arrived')
      })
      await once(socket, 'open')
      return {
        send: (text) => socket.send(text),
        async next() {
          if (messages.length === 0) await once(arrivals, 'arrived')
          return messages.shift() as string
        },
        close: () => socket.close(),
      }
    },
  }
}

/** A request whose connection begins with other bytes, as a load balancer sends them. */
async function openBehind(
  config: GatewayConfig,
  ca: string,
  { preface = [], ...wanted }: LabRequest,
): Promise<ClientRequest> {
  const endpoint = (wanted.plain ? config.http : config.https) as Endpoint
  const from = wanted.from === undefined ? {} : { localAddress: wanted.from }
  const socket = connect({ ...endpoint, ...from, noDelay: true })
  socket.on('error', () => undefined)
  for (const part of preface) {
    socket.write(part)
    // Lets each part leave on its own.
    await setImmediate()
  }
  return httpRequest({
    path: wanted.path ?? '/',
    method: wanted.method ?? 'GET',
    headers: { host: wanted.host, ...wanted.headers },
    createConnection: () => (wanted.plain ? socket : connectTls({ socket, servername: wanted.host, ca })),
  })
}

async function answerOf(request: ClientRequest): Promise<LabAnswer> {
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  const chunks: Buffer[] = []
  for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk)
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    body: Buffer.concat(chunks).toString('utf8'),
  }
}

/** Bytes made up on the way, so that the whole is never anywhere. */
function* madeUp(sizeBytes: number, hash: ReturnType<typeof createHash>): Generator<Buffer> {
  const block = randomBytes(MIB)
  for (let sent = 0; sent < sizeBytes; sent += block.length) {
    block.writeUInt32BE(sent / block.length, 0)
    const chunk = Buffer.from(block.subarray(0, Math.min(block.length, sizeBytes - sent)))
    hash.update(chunk)
    yield chunk
  }
}
