import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls'
import { createGatewayClient } from '@caretaker/appliance/gateway/client.ts'
import { type Gateway, gatewayPaths } from '@caretaker/appliance/gateway/gateway.ts'
import type { Endpoint, GatewayConfig } from '@caretaker/appliance/gateway/gateway-config.ts'
import { createHost } from '../host.ts'
import { type RunningGateway, runGateway } from './gateway.ts'

const LOOPBACK = { host: '127.0.0.1', port: 0 }

/** `localAddress`: the address of this machine to come from. */
export type OpenOptions = ConnectionOptions & { readonly localAddress?: string }

/** An application that keeps what it got, byte for byte, and answers as it is told. */
export interface RawUpstream {
  readonly endpoint: Endpoint
  /** Everything received, one text (latin1) per connection in the order of their coming. */
  readonly received: string[]
  /** What is done with a request as soon as its header fields are there. */
  answer: (socket: Socket, head: string) => void
  close(): Promise<void>
}

/** A gateway in this process in front of one application at `localhost`, as an attacker sees it. */
export interface AttackedGateway {
  readonly gateway: RunningGateway
  readonly control: Gateway
  readonly upstream: RawUpstream
  /** What the gateway wrote to its log, parsed. */
  readonly log: readonly Readonly<Record<string, unknown>>[]
  readonly port: number
  readonly httpPort: number
  /** Sends bytes over TLS and gives all that comes until the other side ends. */
  send(bytes: string | Buffer): Promise<string>
  open(options?: OpenOptions): TLSSocket
  apply(changes: Partial<GatewayConfig>): Promise<void>
  close(): Promise<void>
}

/** Starts both; the application answers 200 with `ok` unless told otherwise. */
export async function startAttackedGateway(): Promise<AttackedGateway> {
  const state = await mkdtemp(join(tmpdir(), 'caretaker-attack-'))
  const paths = gatewayPaths(state)
  const upstream = await startRawUpstream()
  const log: Record<string, unknown>[] = []
  const gateway = await runGateway({
    paths,
    fallback: { https: LOOPBACK, http: LOOPBACK },
    log: (line) => log.push(JSON.parse(line) as Record<string, unknown>),
  })
  const control = createGatewayClient(createHost(), paths)
  const config = (changes: Partial<GatewayConfig>): GatewayConfig => ({
    applianceId: 'lab',
    https: LOOPBACK,
    http: LOOPBACK,
    certificates: [],
    routes: [
      {
        app: 'guestbook',
        hosts: ['localhost'],
        aliases: [],
        upstream: upstream.endpoint,
        maxHoldMs: 60_000,
      },
    ],
    trustedProxies: [],
    ...changes,
  })
  await control.apply(config({}))
  const port = (): number => gateway.status().https?.port as number
  const open = (options: OpenOptions = {}): TLSSocket =>
    connectTls({
      host: '127.0.0.1',
      port: port(),
      servername: 'localhost',
      rejectUnauthorized: false,
      ...options,
    })
  return {
    gateway,
    control,
    upstream,
    log,
    get port() {
      return port()
    },
    get httpPort() {
      return gateway.status().http?.port as number
    },
    async send(bytes) {
      const socket = open()
      socket.write(bytes)
      return await readToEnd(socket)
    },
    open,
    apply: (changes) => control.apply(config(changes)),
    async close() {
      await gateway.close(0)
      await upstream.close()
      await rm(state, { recursive: true })
    },
  }
}

/** All that comes until the other side ends or breaks the connection. */
export async function readToEnd(socket: Socket): Promise<string> {
  let text = ''
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1')
  })
  socket.on('error', () => undefined)
  await new Promise((resolve) => socket.once('close', resolve))
  return text
}

/** A request with `connection: close`; `more` are header lines with their line ends. */
export function ask(method: string, target: string, more = '', body = ''): string {
  return `${method} ${target} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n${more}\r\n${body}`
}

/** The status codes of all answers in what came over one connection. */
export function statuses(text: string): number[] {
  return [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map((match) => Number(match[1]))
}

async function startRawUpstream(): Promise<RawUpstream> {
  const received: string[] = []
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    const index = received.push('') - 1
    let answered = 0
    socket.on('error', () => undefined)
    socket.on('close', () => sockets.delete(socket))
    socket.on('data', (chunk) => {
      received[index] += chunk.toString('latin1')
      const heads = received[index]?.split('\r\n\r\n') ?? []
      if (heads.length <= 1 || answered > 0) return
      answered += 1
      upstream.answer(socket, heads[0] as string)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const upstream: RawUpstream = {
    endpoint: { host: '127.0.0.1', port: (server.address() as AddressInfo).port },
    received,
    answer: (socket) => {
      socket.end('HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok')
    },
    async close() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
  return upstream
}
