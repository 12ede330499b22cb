import type { Json } from '@caretaker/kernel/json.ts'
import type { Endpoint, GatewayConfig } from '../gateway-config.ts'
import { PAGES, type PageRequest, renderPage } from '../service-page.ts'
import type { CaddyPlaces } from './caddy-places.ts'
import { FALLBACK_FILE, LOOKED_FOR, PARENT_PATTERN } from './certificate-files.ts'
import { outsideRanges } from './outside-ranges.ts'

/** How Caddy gets at certificates: over HTTP on loopback, from itself. Only who knows the token is answered. */
export interface CaddySecret {
  readonly token: string
  readonly port: number
}

/** By these the gateway knows whom Caddy speaks for. From a client they are taken away. */
export const CADDY_HEADERS = { client: 'x-caretaker-client', scheme: 'x-caretaker-scheme' } as const

export interface CaddyLimits {
  readonly maxHeaderBytes: number
  readonly headersTimeoutMs: number
  readonly keepAliveMs: number
}

/** While the gateway starts again, requests wait this long for it. */
const GATEWAY_WAIT_MS = 5000
/** Of connections to the gateway; less than it keeps them itself, so that a stale one is never taken. */
const HOP_IDLE_MS = 30_000
/** What a config that closes listeners, or an end, leaves to requests under way. */
const GRACE_MS = 10_000
/** For the PROXY header of a load balancer. */
const PROXY_HEADER_MS = 5000
/** The Host that Caddy's admin interface is asked for. */
export const ADMIN_HOST = '127.0.0.1'
const ANYBODY = ['0.0.0.0/0', '::/0']

/**
 * The config of Caddy in its JSON form. It depends on the ports alone: routes, holds, headers and pages are the
 * gateway's, and certificates are asked for at each handshake. So nothing but a changed port ever makes Caddy load a
 * config, which would end websockets.
 */
export function caddyConfig(
  config: Pick<GatewayConfig, 'http' | 'https' | 'trustedProxies' | 'proxyProtocol'>,
  places: CaddyPlaces,
  secret: CaddySecret,
  limits: CaddyLimits,
): Json {
  const front = (endpoint: Endpoint): Record<string, Json> => ({
    listen: [listenAddress(endpoint)],
    protocols: ['h1', 'h2'],
    automatic_https: { disable: true },
    read_header_timeout: duration(limits.headersTimeoutMs),
    idle_timeout: duration(limits.keepAliveMs),
    max_header_bytes: limits.maxHeaderBytes,
    routes: [{ handle: [WITHOUT_OWN_NAME, toGateway(places)] }],
    errors: { routes: gatewayAway() },
  })
  return {
    admin: {
      listen: `unix/${places.adminSocket}`,
      origins: [ADMIN_HOST],
      config: { persist: false },
    },
    logging: { logs: { default: { level: 'WARN', encoder: LOG_ENCODER } } },
    apps: {
      http: {
        grace_period: duration(GRACE_MS),
        servers: {
          https: {
            ...front(config.https),
            ...proxyWrapper(config, true),
            tls_connection_policies: [{}],
          },
          ...(config.http ? { http: { ...front(config.http), ...proxyWrapper(config, false) } } : {}),
          certificates: certificateServer(places, secret),
        },
      },
      tls: {
        automation: {
          policies: [
            {
              get_certificate: [{ via: 'http', url: certificateUrl(secret) }],
              // Asked only when the line above gives nothing, and it always gives something. Without any, Caddy would
              // ask public authorities; its internal one would install itself on the machine.
              issuers: [{ module: 'acme', ca: 'https://127.0.0.1:9/none' }],
            },
          ],
        },
        disable_ocsp_stapling: true,
      },
    },
  }
}

/** Queries and header fields may hold secrets. */
const LOG_ENCODER: Json = {
  format: 'filter',
  wrap: { format: 'json', time_format: 'iso8601' },
  fields: { 'request>uri': { filter: 'delete' }, 'request>headers': { filter: 'delete' } },
}

/** Not `deferred`: an application may give its own. */
const WITHOUT_OWN_NAME: Json = { handler: 'headers', response: { delete: ['Server'] } }

function toGateway(places: CaddyPlaces): Json {
  return {
    handler: 'reverse_proxy',
    upstreams: [{ dial: `unix/${places.gatewaySocket}` }],
    transport: {
      protocol: 'http',
      compression: false,
      dial_timeout: '2s',
      keep_alive: {
        enabled: true,
        idle_timeout: duration(HOP_IDLE_MS),
        max_idle_conns: 512,
        max_idle_conns_per_host: 512,
      },
    },
    // What did not reach the gateway, and nothing else, is sent again.
    load_balancing: { try_duration: duration(GATEWAY_WAIT_MS), try_interval: '50ms' },
    // Whom to believe is the gateway's to decide: it gets everything that came, and the address it came from.
    trusted_proxies: ANYBODY,
    headers: {
      request: {
        set: {
          [CADDY_HEADERS.client]: ['{http.request.remote.host}'],
          [CADDY_HEADERS.scheme]: ['{http.request.scheme}'],
        },
      },
      response: { delete: ['Via'] },
    },
  }
}

/** The service page for when the gateway is not there. */
function gatewayAway(): Json[] {
  const answer = (accept: PageRequest['accept']): Json => {
    const requestId = '{http.request.uuid}'
    const { headers, body } = renderPage(PAGES.gatewayAway, { method: 'GET', accept, requestId })
    const { 'content-length': _, ...kept } = headers
    return {
      handler: 'static_response',
      status_code: PAGES.gatewayAway.status,
      headers: Object.fromEntries(Object.entries(kept).map(([name, value]) => [name, [value]])),
      body,
    }
  }
  return [
    { match: [{ header: { Accept: ['*application/json*'] } }], handle: [answer('application/json')] },
    { handle: [answer(undefined)] },
  ]
}

/** Answers `?server_name=NAME` with certificate, chain and key in one PEM. */
function certificateServer(places: CaddyPlaces, secret: CaddySecret): Json {
  const root = places.certificatesFolder
  const firstOf = (names: readonly string[]): Json => ({
    match: [{ file: { root, try_files: [...names] } }],
    handle: [
      { handler: 'rewrite', uri: '{http.matchers.file.relative}' },
      { handler: 'file_server', root },
    ],
  })
  return {
    listen: [`127.0.0.1:${secret.port}`],
    protocols: ['h1'],
    automatic_https: { disable: true },
    routes: [
      {
        match: [{ path: [`/${secret.token}`] }],
        handle: [
          { handler: 'rewrite', uri: '/{http.request.uri.query.server_name}' },
          {
            handler: 'subroute',
            routes: [
              {
                match: [{ path_regexp: { name: 'parent', pattern: PARENT_PATTERN } }],
                handle: [{ handler: 'subroute', routes: [firstOf(LOOKED_FOR)] }],
              },
              firstOf([LOOKED_FOR[0], `/${FALLBACK_FILE}`]),
            ],
          },
        ],
      },
    ],
  }
}

function certificateUrl({ port, token }: CaddySecret): string {
  return `http://127.0.0.1:${port}/${token}`
}

/** From Caddy 2.8 on. Who is not trusted must not send the header, and a trusted one must. */
function proxyWrapper(
  { proxyProtocol, trustedProxies }: Pick<GatewayConfig, 'proxyProtocol' | 'trustedProxies'>,
  tls: boolean,
): Record<string, Json> {
  if (!proxyProtocol) return {}
  const wrapper: Json = {
    wrapper: 'proxy_protocol',
    timeout: duration(PROXY_HEADER_MS),
    deny: outsideRanges(trustedProxies),
    fallback_policy: 'REQUIRE',
  }
  return { listener_wrappers: [wrapper, ...(tls ? [{ wrapper: 'tls' }] : [])] }
}

function listenAddress({ host, port }: Endpoint): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

function duration(ms: number): string {
  return `${ms}ms`
}
