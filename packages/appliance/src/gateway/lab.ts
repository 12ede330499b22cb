import type { Gateway } from './gateway.ts'
import type { Endpoint, GatewayConfig } from './gateway-config.ts'

/** What {@link describeGateway} needs to look at a running gateway from outside. */
export interface GatewayLab {
  readonly gateway: Gateway
  /** In force at the start: HTTP and HTTPS on loopback, certificates of the lab's authority, no routes. */
  readonly config: GatewayConfig
  startUpstream(): Promise<LabUpstream>
  /** An address of loopback where nothing listens. */
  deadEndpoint(): Promise<Endpoint>
  /**
   * One request on a connection of its own; the certificate is checked against the lab's authority. Rejects when the
   * connection ends without an answer.
   */
  request(request: LabRequest): Promise<LabAnswer>
  /** Opens a server-sent event stream; resolves with the header fields. */
  openEvents(request: LabRequest): Promise<LabEvents>
  openWebSocket(request: LabRequest): Promise<LabWebSocket>
  /** Sends that many made-up bytes; gives the status and the SHA-256 of what was sent. */
  upload(request: LabRequest, sizeBytes: number): Promise<LabAnswer & { readonly sha256: string }>
  /** Sends a request and goes away when `signal` fires. */
  abandon(request: LabRequest, signal: AbortSignal): void
  /** Puts the answer to an HTTP-01 challenge where `GatewayPaths.challengeFolder` says. */
  prove(token: string, answer: string): Promise<void>
  /** The most memory the gateway has used so far, in bytes. */
  peakMemoryBytes(): Promise<number>
  /** Kills the gateway without warning and starts it again; ends when it answers. */
  crash(): Promise<void>
  close(): Promise<void>
}

export interface LabRequest {
  readonly host: string
  readonly path?: string
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  /** Over plain HTTP. */
  readonly plain?: boolean
  /** Address of loopback to come from, as 127.0.0.2. */
  readonly from?: string
  /** Sent before anything else, TLS included, one write for each part. */
  readonly preface?: readonly Buffer[]
}

export interface LabAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  readonly body: string
}

export interface LabEvents {
  readonly headers: LabAnswer['headers']
  /** The next event's data. */
  next(): Promise<string>
  close(): void
}

export interface LabWebSocket {
  send(text: string): void
  next(): Promise<string>
  close(): void
}

/**
 * A small application: `/echo…` answers what it got as JSON ({@link LabEcho}), `/events` streams, `/wait…` answers
 * after `letGo`, `/stale…` keeps its connection but closes it when the next request comes, `/crash` closes it without
 * an answer, and every websocket gets its own words back.
 */
export interface LabUpstream {
  readonly endpoint: Endpoint
  /** Method and path of every request so far, in the order of arrival. */
  readonly seen: readonly string[]
  /** Requests to `/wait…` open now. */
  readonly waiting: number
  /** Requests whose client went away before the answer. */
  readonly abandoned: number
  /** Streams to `/events` open now. */
  readonly listening: number
  send(data: string): void
  letGo(): void
}

export interface LabEcho {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly bytes: number
  readonly sha256: string
}
