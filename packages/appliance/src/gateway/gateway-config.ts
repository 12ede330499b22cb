import * as z from 'zod'

/** Where a server listens or is reached. `host` is an IP address; port 0 lets the system choose (tests). */
export const Endpoint = z.strictObject({
  host: z.union([z.ipv4(), z.ipv6()]),
  port: z.int().min(0).max(65_535),
})
export type Endpoint = Readonly<z.infer<typeof Endpoint>>

/** Why an application, or the whole appliance, is not served. */
export const ServiceReason = z.strictObject({
  /** A stable code for programs, as `STORAGE_ABSENT` or `UPDATE`. */
  code: z.string().regex(/^[A-Z][A-Z0-9_]{0,63}$/),
  /** "Service not available" unless said otherwise. */
  title: z.string().min(1).max(200).optional(),
  /** One or two sentences for the visitor; shown on the public page, escaped. */
  reason: z.string().max(2000),
  /** For the person responsible only: shown by `status`, never on the public page. */
  next: z.string().max(2000).optional(),
  /** ISO 8601 instant. */
  since: z.iso.datetime({ offset: true }),
  /** Planned end, ISO 8601 instant. */
  until: z.iso.datetime({ offset: true }).optional(),
})
export type ServiceReason = Readonly<z.infer<typeof ServiceReason>>

const LABEL = '[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?'

/** A DNS name in lower case without trailing dot, or an IP address. */
export const HostName = z
  .string()
  .max(253)
  .regex(new RegExp(`^${LABEL}(\\.${LABEL})*$|^[0-9a-f]*:[0-9a-f:.]+$`))

/** A {@link HostName}, or `*.` and one: stands for one more label. */
export const CertificateHost = z.union([HostName, z.string().regex(new RegExp(`^\\*(\\.${LABEL})+$`))])

/** How the requests for one application are answered. */
export const Route = z.strictObject({
  app: z.string().min(1).max(63),
  /** Names it is served at; the first is the canonical one. */
  hosts: z.array(HostName).min(1),
  /** Names that redirect (308) to the first of `hosts`. */
  aliases: z.array(HostName),
  /** Only paths at or below this one, as `/wiki`; the path is handed on unchanged. */
  pathPrefix: z
    .string()
    .regex(/^(\/[^/?#\s]+)+$/)
    .optional(),
  /** Absent: the service page with `reason` answers. */
  upstream: Endpoint.optional(),
  /** Present: `upstream` is of the application's other slot than usual. */
  slot: z.literal('b').optional(),
  reason: ServiceReason.optional(),
  /** How long one request may wait during a hold, in ms. */
  maxHoldMs: z.int().min(0).max(600_000),
})
export type Route = Readonly<z.infer<typeof Route>>

/** A certificate with its chain, and its key, as PEM files that the gateway may read. */
export const GatewayCertificate = z.strictObject({
  /** Names it is shown for (SNI). */
  hosts: z.array(CertificateHost).min(1),
  certificateFile: z.string().min(1),
  keyFile: z.string().min(1),
})
export type GatewayCertificate = Readonly<z.infer<typeof GatewayCertificate>>

/** Everything a gateway back end needs; computed by the appliance, holds no secret itself. */
export const GatewayConfig = z.strictObject({
  applianceId: z.string().min(1),
  /** `caddy`: Caddy holds the ports and hands everything to the gateway. Absent: the gateway holds them itself. */
  engine: z.literal('caddy').optional(),
  /** Absent: nothing listens for plain HTTP. */
  http: Endpoint.optional(),
  https: Endpoint,
  /** The port people type for HTTPS when it is another one than `https.port` (a forwarded port). */
  publicHttpsPort: z.int().min(1).max(65_535).optional(),
  /** The first one is shown to clients that name no host. Empty: a self-signed one is made. */
  certificates: z.array(GatewayCertificate),
  routes: z.array(Route),
  /** Present: the whole appliance is in service mode. */
  service: ServiceReason.optional(),
  /** Addresses or CIDR ranges whose X-Forwarded-For, -Proto, -Host, -Port and X-Request-Id are believed. */
  trustedProxies: z.array(z.union([z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6()])),
  /**
   * True: each connection of `trustedProxies`, to both ports, must begin with a header of the PROXY protocol (version 1
   * or 2), before TLS, and no other connection may.
   */
  proxyProtocol: z.boolean().optional(),
})
export type GatewayConfig = Readonly<z.infer<typeof GatewayConfig>>
