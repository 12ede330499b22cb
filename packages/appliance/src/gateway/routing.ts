import type { GatewayConfig, Route, ServiceReason } from './gateway-config.ts'

/** Where a request goes; made from the config once, asked for every request. */
export interface RouteTable {
  readonly service: ServiceReason | undefined
  /** Longest path prefix first. */
  readonly byHost: ReadonlyMap<string, readonly Route[]>
  /** Alias to canonical host. */
  readonly aliases: ReadonlyMap<string, string>
}

export interface RequestLine {
  /** From {@link parseHost}. */
  readonly host: string
  /** Path with query, beginning with a slash. */
  readonly path: string
  readonly secure: boolean
}

export type Decision =
  | { readonly kind: 'forward'; readonly route: Route; readonly upstream: NonNullable<Route['upstream']> }
  | { readonly kind: 'redirect'; readonly host: string }
  | { readonly kind: 'service'; readonly app: string | undefined; readonly reason: ServiceReason | undefined }
  | { readonly kind: 'unknown-host' }
  | { readonly kind: 'no-path' }

export function compileRoutes(config: Pick<GatewayConfig, 'routes' | 'service'>): RouteTable {
  const byHost = new Map<string, Route[]>()
  const aliases = new Map<string, string>()
  for (const route of config.routes) {
    for (const host of route.hosts) byHost.set(host, [...(byHost.get(host) ?? []), route])
    for (const alias of route.aliases) aliases.set(alias, route.hosts[0] as string)
  }
  for (const routes of byHost.values()) {
    routes.sort((a, b) => (b.pathPrefix?.length ?? 0) - (a.pathPrefix?.length ?? 0))
  }
  return { service: config.service, byHost, aliases }
}

/** Service mode comes before all else; plain HTTP is redirected unless a service page is due. */
export function decide(table: RouteTable, line: RequestLine): Decision {
  if (table.service) return { kind: 'service', app: undefined, reason: table.service }
  const canonical = table.aliases.get(line.host)
  if (canonical !== undefined) return { kind: 'redirect', host: canonical }
  const routes = table.byHost.get(line.host)
  if (!routes) return { kind: 'unknown-host' }
  const route = routes.find((entry) => isBelow(line.path, entry.pathPrefix))
  if (!route) return line.secure ? { kind: 'no-path' } : { kind: 'redirect', host: line.host }
  if (!route.upstream) return { kind: 'service', app: route.app, reason: route.reason }
  if (!line.secure) return { kind: 'redirect', host: line.host }
  return { kind: 'forward', route, upstream: route.upstream }
}

/** The URL of the same place over HTTPS. */
export function httpsUrl(host: string, port: number, path: string): string {
  const name = host.includes(':') ? `[${host}]` : host
  return `https://${name}${port === 443 ? '' : `:${port}`}${path}`
}

/** The name in a Host header: lower case, without port, brackets and trailing dot; undefined when it is none. */
export function parseHost(header: string | undefined): string | undefined {
  const match = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9_.-]+?)\.?)(?::(\d{1,5}))?$/i.exec(header ?? '')
  if (Number(match?.[3] ?? 0) > 65_535) return undefined
  return (match?.[1] ?? match?.[2])?.toLowerCase()
}

/**
 * The token of an HTTP-01 challenge (RFC 8555, 8.3) that a path asks for; undefined for every other path. It is
 * answered before all else: in service mode, for aliases and without a redirect.
 */
export function challengeToken(path: string): string | undefined {
  return /^\/\.well-known\/acme-challenge\/([A-Za-z0-9_-]{1,256})$/.exec(path)?.[1]
}

/** Where a request wants to go. */
export interface Target extends Pick<RequestLine, 'host' | 'path'> {
  /** Host and port as the client wrote them, where {@link RequestLine.host} was taken from: the Host it asked for. */
  readonly authority: string
}

/**
 * Host and path of a request: the target may be a path or, from a client that takes us for a proxy, a whole URL,
 * whose host then counts and not that of the header (RFC 9112, 3.2.2). Undefined when it cannot be understood, and
 * with a fragment, which no client sends and applications take apart differently.
 */
export function parseTarget(target: string, hostHeader: string | undefined): Target | undefined {
  if (target.includes('#')) return undefined
  const [, urlHost, rest = ''] = /^https?:\/\/([^/?]+)(.*)$/is.exec(target) ?? []
  const authority = target.startsWith('/') ? hostHeader : urlHost
  const host = parseHost(authority)
  if (authority === undefined || host === undefined) return undefined
  if (target.startsWith('/')) return { host, authority, path: target }
  return { host, authority, path: rest.startsWith('/') ? rest : `/${rest}` }
}

function isBelow(path: string, prefix: string | undefined): boolean {
  if (prefix === undefined) return true
  if (!path.startsWith(prefix)) return false
  const after = path[prefix.length]
  return after === undefined || after === '/' || after === '?'
}
