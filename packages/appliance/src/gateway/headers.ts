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
    const { plain, from } = judge(name)
    if (from === 'nobody' || nominated.has(plain)) continue
    if (from === 'anybody' || (from === 'trusted' && context.peer.trusted)) result[name] = value
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

/** What is known of a header field by its name alone. */
interface Judgement {
  /** The name as CGI-like applications read it. */
  readonly plain: string
  /** Who may send it to an application. */
  readonly from: 'anybody' | 'trusted' | 'nobody'
}

/** Clients send the same few names again and again; they choose them, so there is a bound. */
const judged = new Map<string, Judgement>()
const MAX_JUDGED = 1000

function judge(name: string): Judgement {
  const known = judged.get(name)
  if (known) return known
  const plain = name.toLowerCase().replaceAll(/[^a-z0-9]/g, '-')
  const isNever = HOP_BY_HOP.has(plain) || plain === 'expect' || (name !== plain && FRAMING.has(plain))
  const isVouched = VOUCHED.test(plain)
  const from = isNever || (isVouched && !BELIEVED.test(name)) ? 'nobody' : isVouched ? 'trusted' : 'anybody'
  if (judged.size >= MAX_JUDGED) judged.clear()
  judged.set(name, { plain, from })
  return { plain, from }
}

/** The headers a client gets: those of the application without the ones of its connection, and the request id. */
export function responseHeaders(headers: HeaderMap, requestId: string): HeaderMap {
  const nominated = connectionTokens(headers)
  const kept = Object.create(null) as HeaderMap
  for (const [name, value] of Object.entries(headers)) {
    if (!HOP_BY_HOP.has(name) && !nominated.has(name)) kept[name] = value
  }
  kept['x-request-id'] = requestId
  return kept
}

/** The id a trusted peer gave the request, else a new one. */
export function requestIdFor(headers: HeaderMap, peer: Peer): string {
  const given = text(headers['x-request-id'])
  return peer.trusted && given !== undefined && REQUEST_ID.test(given) ? given : randomUUID()
}

/** What nearly every connection field says; both names are hop by hop anyway. */
const USUAL = new Set([undefined, 'keep-alive', 'close'])
const NONE: ReadonlySet<string> = new Set()

function connectionTokens(headers: HeaderMap): ReadonlySet<string> {
  if (USUAL.has(headers['connection'] as string | undefined)) return NONE
  const tokens = (text(headers['connection']) ?? '').split(',').map((token) => token.trim().toLowerCase())
  // A client must not be able to take away what the gateway or the message itself needs.
  return new Set(tokens.filter((token) => token !== '' && token !== 'host' && token !== 'content-length'))
}

function text(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value.join(', ') : value
}
