import { SECOND_MS } from '@caretaker/kernel/time.ts'
import { mailHost } from '../config/clone.ts'
import type { Config } from '../config/config.ts'
import type { GatewayCertificate, GatewayConfig, Route, ServiceReason } from '../gateway/gateway-config.ts'
import { LOOPBACK } from '../runtime/runtime.ts'
import type { AppRecord, Updating } from './app-records.ts'
import type { ApplianceState } from './appliance-state.ts'
import { visitorSentence } from './visitor-sentence.ts'

/** What the gateway needs to know of one application. */
export interface RoutedApp {
  readonly app: string
  readonly record: AppRecord
  /** Where its web service is reached; undefined while it is not served. */
  readonly upstream: { readonly host: string; readonly port: number } | undefined
  /** Of a clone: TCP port of 127.0.0.1 with the page of its mails, while it runs. */
  readonly mailPort?: number
}

/** The one config of the gateway that follows from the config of the appliance and its state. Pure. */
export function gatewayConfig(
  config: Config,
  certificates: readonly GatewayCertificate[],
  state: ApplianceState,
  apps: readonly RoutedApp[],
  now: string,
): GatewayConfig {
  const { engine, bind, http_port, https_port, trusted_proxies, proxy_protocol, hold_seconds } =
    config.gateway
  const names = Object.keys(config.applications)
  return {
    applianceId: config.id,
    ...(engine === 'caddy' ? { engine } : {}),
    ...(http_port === null ? {} : { http: { host: bind, port: http_port } }),
    https: { host: bind, port: https_port },
    certificates: [...certificates],
    routes: names.flatMap((name) => {
      const app = apps.find((entry) => entry.app === name)
      const route = routeOf(config, name, app, state, hold_seconds, now)
      return config.applications[name]?.clone ? [route, mailRoute(config, name, app, now)] : [route]
    }),
    ...(state.serving ? {} : { service: serviceReason(state, now) }),
    trustedProxies: [...trusted_proxies],
    ...(proxy_protocol ? { proxyProtocol: true } : {}),
  }
}

/** The reason on the service page: what `status` says too, without the details. */
export function serviceReason(state: ApplianceState, now: string): ServiceReason {
  return {
    code: state.code,
    reason: state.what,
    ...(state.next === '' ? {} : { next: state.next.slice(0, 2000) }),
    since: state.since ?? now,
    ...(state.until === undefined ? {} : { until: state.until }),
  }
}

/** One certificate for the appliance's own name, one for each application. */
export function certificateNames(
  config: Config,
): readonly { readonly name: string; readonly hosts: readonly string[] }[] {
  const apps = Object.entries(config.applications).map(([name, app]) => ({
    name: `app-${name}`,
    hosts: [...new Set([...app.hosts, ...app.aliases, ...(app.clone ? [mailHost(app)] : [])])],
  }))
  return [
    { name: 'appliance', hosts: [...new Set([config.identity.hostname, config.identity.domain])] },
    ...apps,
  ]
}

function routeOf(
  config: Config,
  name: string,
  app: RoutedApp | undefined,
  state: ApplianceState,
  holdSeconds: number,
  now: string,
): Route {
  const { hosts, aliases, path_prefix } = config.applications[name] as Config['applications'][string]
  const problem = state.parts.find((part) => part.part === name)
  const served = app?.upstream !== undefined && !app.record.stopped
  return {
    app: name,
    hosts: [...hosts],
    aliases: [...aliases],
    ...(path_prefix === '/' ? {} : { pathPrefix: path_prefix }),
    ...(served && app?.upstream ? { upstream: app.upstream } : {}),
    ...(served && app?.record.slot === 'b' ? { slot: 'b' as const } : {}),
    ...(served ? {} : { reason: appReason(name, app, problem, state, now) }),
    // Who waits longer in a hold than a request may is told this.
    ...(served && app?.record.updating ? { reason: changeReason(name, app.record.updating) } : {}),
    maxHoldMs: holdSeconds * SECOND_MS,
  }
}

function changeReason(name: string, { kind, toVersion, since }: Updating): ServiceReason {
  const what = kind === 'update' ? 'is being updated to' : 'is being taken back to'
  return { code: 'UPDATING', reason: `${name} ${what} ${toVersion}. It is back in a moment.`, since }
}

/** Mails are read while the clone runs: what takes them shows them. */
function mailRoute(config: Config, name: string, app: RoutedApp | undefined, now: string): Route {
  const reason = `${name} does not run; its mail is read while it does.`
  const mailPort = app?.mailPort
  return {
    // No application has a dot in its name.
    app: `${name}.mail`,
    hosts: [mailHost(config.applications[name] as Config['applications'][string])],
    aliases: [],
    ...(mailPort === undefined
      ? { reason: { code: 'APP_NOT_STARTED', reason, next: `caretaker app restart ${name}`, since: now } }
      : { upstream: { host: LOOPBACK, port: mailPort } }),
    maxHoldMs: 0,
  }
}

function appReason(
  name: string,
  app: RoutedApp | undefined,
  problem: ApplianceState['parts'][number] | undefined,
  state: ApplianceState,
  now: string,
): ServiceReason {
  if (problem) {
    return {
      code: problem.code,
      reason: problem.what ?? visitorSentence(problem.reason),
      next: problem.next.slice(0, 2000),
      since: problem.since,
    }
  }
  if (app?.record.updating) return changeReason(name, app.record.updating)
  if (app?.record.stopped) {
    return {
      code: 'APP_STOPPED',
      reason: `${name} was stopped.`,
      next: `caretaker app restart ${name}`,
      since: app.record.since ?? now,
    }
  }
  // What is not there yet is being started: the page says the same as `status`.
  if (state.state === 'starting' || state.state === 'updating' || state.state === 'recovering')
    return serviceReason(state, now)
  return {
    code: 'APP_NOT_STARTED',
    reason:
      app?.record.releaseId === undefined ? `${name} has not been started yet.` : `${name} does not run.`,
    next: 'caretaker up',
    since: state.since ?? now,
  }
}
