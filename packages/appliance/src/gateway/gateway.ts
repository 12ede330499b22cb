import { join } from 'node:path'
import type { ErrorReport } from '@caretaker/kernel/errors.ts'
import { type CaddyPlaces, caddyPlaces } from './caddy/caddy-places.ts'
import type { Endpoint, GatewayConfig, ServiceReason } from './gateway-config.ts'

/** `embedded`: the gateway itself. `caddy`: Caddy, with the gateway behind it. */
export type GatewayEngine = 'embedded' | 'caddy'

export interface AppTraffic {
  readonly app: string
  /** Requests being answered now, without {@link streams}. */
  readonly open: number
  /** Websockets and server-sent event streams open now. */
  readonly streams: number
  /** Requests waiting for the end of a hold. */
  readonly held: number
  readonly holding: boolean
  /** Answers since the gateway started, by class: `2xx`, `5xx`, … */
  readonly answered: Readonly<Record<string, number>>
}

export interface ServedCertificate {
  readonly hosts: readonly string[]
  /** SHA-256 of the certificate in hex. */
  readonly fingerprint: string
  /** ISO 8601 instant. */
  readonly notAfter: string
  readonly selfSigned: boolean
}

export interface GatewayStatus {
  readonly pid: number
  /** What holds the ports. A change needs a new start. */
  readonly engine: GatewayEngine
  /** ISO 8601 instant. */
  readonly startedAt: string
  /** `hashOf` the config in force; undefined while the gateway runs without one. */
  readonly configHash: string | undefined
  /** Where it listens; real port numbers. Absent as long as nothing does. */
  readonly http: Endpoint | undefined
  readonly https: Endpoint | undefined
  readonly service: ServiceReason | undefined
  readonly apps: readonly AppTraffic[]
  /** Requests that reached no application: unknown host, redirects, service mode; by class. */
  readonly unrouted: Readonly<Record<string, number>>
  readonly certificates: readonly ServedCertificate[]
  /** What does not work though the gateway runs, as a damaged config file or a taken HTTP port. */
  readonly problems: readonly ErrorReport[]
}

/**
 * The HTTPS front of the appliance. It runs on its own and outlives the daemon; all calls are idempotent.
 * Every call throws AppError GATEWAY_UNREACHABLE when it does not answer, or the error it ended with.
 */
export interface Gateway {
  /**
   * Puts a config in force, durably: it is also the one the gateway starts with next time. Open connections of
   * routes that did not change live on. Certificate files are read again even when the config is the same.
   * @throws AppError CONFIG_WRONG_TYPE, CERTIFICATE_INVALID, PORT_IN_USE, NO_PERMISSION; the old one stays in force.
   */
  apply(config: GatewayConfig): Promise<void>
  status(): Promise<GatewayStatus>
  /**
   * From now on requests to the application wait, each at most its route's `maxHoldMs`. The hold ends by itself
   * after `limitMs`, so that a crash of the caller cannot hold an application for ever.
   * @throws AppError APP_UNKNOWN
   */
  hold(app: string, limitMs: number): Promise<void>
  /** Lets the waiting requests go on, in the order they came. */
  release(app: string): Promise<void>
  /**
   * Waits until the requests of the application that are open now have ended, with `streams` its websockets and event
   * streams too; gives how many of them are still open. What comes later does not count.
   */
  drain(app: string, timeoutMs: number, streams?: boolean): Promise<number>
}

/** The files by which an appliance and its gateway know each other. */
export interface GatewayPaths {
  readonly folder: string
  readonly configFile: string
  /** Why the gateway ended, an ErrorReport as JSON; absent while it runs. */
  readonly failureFile: string
  readonly controlSocket: string
  /** Answers to HTTP-01 challenges of ACME: a file for each token, its content the answer. Served in every state. */
  readonly challengeFolder: string
  readonly caddy: CaddyPlaces
}

/** `runFolder` holds the control socket; its path must be short enough for one. */
export function gatewayPaths(
  stateFolder: string,
  runFolder: string = join(stateFolder, 'gateway'),
): GatewayPaths {
  const folder = join(stateFolder, 'gateway')
  return {
    folder,
    configFile: join(folder, 'config.json'),
    failureFile: join(folder, 'failure.json'),
    controlSocket: join(runFolder, 'gateway.sock'),
    challengeFolder: join(folder, 'challenges'),
    caddy: caddyPlaces(folder, runFolder),
  }
}
