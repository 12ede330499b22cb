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

/**
 * Headers by which gateways vouch for something, ours and those of others that applications look for: who the client
 * is, what it asked for, what its certificate says. From a client they are a forgery. `proxy` would become HTTP_PROXY
 * in CGI-like applications.
 */
const VOUCHED = new RegExp(
  `^(${[
    'x-forwarded(-.*)?|forwarded(-for)?|x-request-id|proxy',
    '(x-)?real-ip|(x-)?client-ip|x-cluster-client-ip|true-client-ip|cf-connecting-ip(v6)?|fastly-client-ip',
    'cf-pseudo-ipv4|fly-client-ip|x-appengine-user-ip|x-azure-(client|socket)ip|x-envoy-external-address',
    '(wl-)?proxy-client-ip|x-proxyuser-ip|x-originating-ip|x-vercel-.*|x-amzn-mtls-.*|x-arr-clientcert',
    'x-ssl-client-.*|ssl-client-.*|x-client-(cert|verify|dn)|(x-)?remote-(user|addr|ip)',
    'x-original-(url|uri|host|method|forwarded-for)|x-rewrite-url|x-(url-)?scheme|x-host|front-end-https',
  ].join('|')})$`,
)

/** Those a trusted proxy is believed; it may well pass the others on as its client sent them. */
const BELIEVED = /^(x-forwarded-(for|proto|host|port)|x-request-id)$/

/** Headers that decide where a message ends or goes; under a name with `_` they can only mislead. */
const FRAMING = new Set(['content-length', 'host'])

const REQUEST_ID = /^[A-Za-z0-9._-]{8,128}$/

export interface Peer {
  /** Address of the other end of the connection. */
  readonly address: string
  /** Whether its X-Forwarded-For, -Proto, -Host, -Port and X-Request-Id are believed. */
  readonly trusted: boolean
}

export interface ForwardContext {
  readonly peer: Peer
  readonly requestId: string
  /** Host and port the client asked for, as it wrote them. */
  readonly host: string
  /** Port the client believes to talk to. */
  readonly port: number
}

/**
 * The headers an application gets: nothing forged, nothing of the client's connection, and the truth about the
 * client in X-Forwarded-For, -Proto, -Host, -Port and X-Request-Id. A name with `_`, `.` or the like is taken for the
 * same name with `-`, as CGI-like applications do, and never believed. A chunked body stays marked as such.
 */
export function requestHeaders(headers: HeaderMap, context: ForwardContext): HeaderMap {
  const nominated = connectionTokens(headers)
  const result: HeaderMap = {}
  for (const [name, value] of Object.entries(headers)) {
    const plain = name.toLowerCase().replaceAll(/[^a-z0-9]/g, '-')
    if (HOP_BY_HOP.has(plain) || nominated.has(plain) || plain === 'expect') continue
    if (name !== plain && FRAMING.has(plain)) continue
    if (VOUCHED.test(plain) && !(context.peer.trusted && BELIEVED.test(name))) continue
    result[name] = value
  }
  result['host'] = context.host
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
