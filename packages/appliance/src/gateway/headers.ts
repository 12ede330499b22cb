import { randomUUID } from 'node:crypto'

export type HeaderMap = Record<string, string | string[] | undefined>

/** Headers that speak about one connection only (RFC 9110, 7.6.1). */
const HOP_BY_HOP = new Set([
  'connection',
  'proxy-connection',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'proxy-authenticate',
  'proxy-authorization',
])

/** Headers by which a gateway vouches for something; from anyone else they are a forgery. */
const VOUCHED = /^(x-forwarded(-.*)?|forwarded|x-real-ip|x-ssl-client-.*|x-request-id)$/

const REQUEST_ID = /^[A-Za-z0-9._-]{8,128}$/

export interface Peer {
  /** Address of the other end of the connection. */
  readonly address: string
  /** Whether its vouched headers are believed. */
  readonly trusted: boolean
}

export interface ForwardContext {
  readonly peer: Peer
  readonly requestId: string
  /** The Host header as it came. */
  readonly host: string
  /** Port the client believes to talk to. */
  readonly port: number
}

/**
 * The headers an application gets: nothing forged, nothing of the client's connection, and the truth about the
 * client in X-Forwarded-For, -Proto, -Host, -Port and X-Request-Id. A name with `_` is taken for the same name
 * with `-`, as CGI-like applications do, and never believed. A chunked body stays marked as such.
 */
export function requestHeaders(headers: HeaderMap, context: ForwardContext): HeaderMap {
  const nominated = connectionTokens(headers)
  const result: HeaderMap = {}
  for (const [name, value] of Object.entries(headers)) {
    const plain = name.toLowerCase().replaceAll('_', '-')
    if (HOP_BY_HOP.has(plain) || nominated.has(plain) || plain === 'expect') continue
    if (VOUCHED.test(plain) && !(context.peer.trusted && !name.includes('_'))) continue
    result[name] = value
  }
  if (headers['transfer-encoding'] !== undefined) result['transfer-encoding'] = 'chunked'
  const before = text(result['x-forwarded-for'])
  result['x-forwarded-for'] = before ? `${before}, ${context.peer.address}` : context.peer.address
  result['x-forwarded-proto'] ??= 'https'
  result['x-forwarded-host'] ??= context.host
  result['x-forwarded-port'] ??= String(context.port)
  result['x-request-id'] = context.requestId
  return result
}

/** The headers a client gets: those of the application without the ones of its connection, and the request id. */
export function responseHeaders(headers: HeaderMap, requestId: string): HeaderMap {
  const nominated = connectionTokens(headers)
  const kept = Object.entries(headers).filter(([name]) => !HOP_BY_HOP.has(name) && !nominated.has(name))
  return { ...Object.fromEntries(kept), 'x-request-id': requestId }
}

/** The id a trusted peer gave the request, else a new one. */
export function requestIdFor(headers: HeaderMap, peer: Peer): string {
  const given = text(headers['x-request-id'])
  return peer.trusted && given !== undefined && REQUEST_ID.test(given) ? given : randomUUID()
}

function connectionTokens(headers: HeaderMap): Set<string> {
  const tokens = (text(headers['connection']) ?? '').split(',').map((token) => token.trim().toLowerCase())
  // A client must not be able to take away what the gateway or the message itself needs.
  return new Set(tokens.filter((token) => token !== '' && token !== 'host' && token !== 'content-length'))
}

function text(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value.join(', ') : value
}
