import type { AppCommand, Application, Healthcheck, Service } from './application.ts'
import type { ComposeFile, ComposeService } from './compose-schema.ts'
import { lateKey } from './compose-variables.ts'
import { containerSettings } from './container-keys.ts'
import { secretSource } from './declarations.ts'
import type { LateText } from './interpolate.ts'

/** Issue 2: stop gracefully within 20 s unless the compose file says another time. */
const STOP_GRACE_MS = 20_000

export interface GivenValues {
  readonly environment: Readonly<Record<string, string>>
  readonly secrets: readonly string[]
  /** From `fillVariables`. */
  readonly late: ReadonlyMap<string, LateText>
}

/**
 * The application of a compose file that has the right shape; names are not checked against each other yet.
 * Services stand in the order of the file.
 */
export function buildApplication(
  name: string,
  compose: ComposeFile,
  given: GivenValues,
  notices: readonly string[],
): Application {
  const section = compose['x-caretaker']
  const oneShots = Object.values(compose.services).flatMap((service) =>
    Object.entries(service.depends_on)
      .filter(([, { condition }]) => condition === 'service_completed_successfully')
      .map(([other]) => other),
  )
  return {
    name,
    version: section.version,
    services: Object.entries(compose.services).map(([key, service]) =>
      buildService(key, service, compose, given, oneShots.includes(key)),
    ),
    volumes: Object.keys(compose.volumes).map((volume) => ({
      name: volume,
      kind: section.data.includes(volume) ? 'data' : 'volatile',
    })),
    secrets: Object.entries(compose.secrets).map(([key, secret]) => ({
      name: key,
      source: secretSource(key, secret),
    })),
    web: section.web,
    database: section.database,
    migrate: section.migrate && withTimeout(section.migrate),
    preMigrate: section.pre_migrate && withTimeout(section.pre_migrate),
    smoke: section.smoke && withTimeout(section.smoke),
    acceptance: section.acceptance && withTimeout(section.acceptance),
    commands: Object.fromEntries(
      Object.entries(section.commands).map(([key, command]): [string, AppCommand] => [
        key,
        { service: section.web.service, command, timeoutMs: 24 * 60 * 60_000 },
      ]),
    ),
    rebuild: section.rebuild && withTimeout(section.rebuild),
    jobs: Object.entries(section.jobs).map(([key, { timeout, service, ...job }]) => ({
      name: key,
      ...job,
      service: service ?? section.web.service,
      timeoutMs: timeout,
    })),
    firstUser: section.first_user && withTimeout(section.first_user),
    clone: {
      environment: withoutNull(section.clone.environment),
      scrub: section.clone.scrub,
      mail: section.clone.mail,
    },
    metrics: section.metrics,
    notices: [
      ...notices,
      ...(compose.version === undefined
        ? []
        : ['"version" of the compose file is obsolete and has no effect']),
    ],
  }
}

function buildService(
  name: string,
  service: ComposeService,
  compose: ComposeFile,
  given: GivenValues,
  oneShot: boolean,
): Service {
  const { web, metrics } = compose['x-caretaker']
  const ports = [
    ...(web.service === name ? [web.port] : []),
    ...service.expose,
    ...metrics.filter((endpoint) => endpoint.service === name).map((endpoint) => endpoint.port),
  ]
  const declared = Object.entries(service.environment)
  // A value in the config replaces the one of the compose file.
  const lateOf = (key: string) =>
    Object.hasOwn(given.environment, key) ? undefined : given.late.get(lateKey(name, key))
  return {
    name,
    build: service.build && {
      context: service.build.context,
      dockerfile: service.build.dockerfile,
      args: withoutNull(service.build.args),
    },
    image: service.image,
    command: service.command ?? undefined,
    entrypoint: service.entrypoint ?? undefined,
    environment: Object.fromEntries(
      declared
        .filter(([key]) => lateOf(key) === undefined)
        .map(
          ([key, value]) =>
            [key, Object.hasOwn(given.environment, key) ? given.environment[key] : value] as const,
        )
        .filter((entry): entry is readonly [string, string] => typeof entry[1] === 'string'),
    ),
    secretEnvironment: Object.fromEntries(
      declared
        .filter(([key, value]) => value === null && given.secrets.includes(key))
        .map(([key]) => [key, key]),
    ),
    lateEnvironment: Object.fromEntries(
      declared.flatMap(([key]) => {
        const text = lateOf(key)
        return text === undefined ? [] : [[key, text] as const]
      }),
    ),
    dependsOn: Object.entries(service.depends_on).map(([other, { condition }]) => ({
      service: other,
      condition,
    })),
    healthcheck: service.healthcheck && buildHealthcheck(service.healthcheck),
    mounts: service.volumes.map(({ source, target, read_only }) => ({
      volume: source,
      target,
      readOnly: read_only,
    })),
    secrets: service.secrets.map(({ source, target }) => ({ secret: source, target: target ?? source })),
    ports: [...new Set(ports)],
    stopGraceMs: service.stop_grace_period ?? STOP_GRACE_MS,
    stopSignal: service.stop_signal,
    restart: service.restart ?? (oneShot ? 'no' : 'unless-stopped'),
    workingDir: service.working_dir,
    user: service.user,
    init: service.init,
    container: containerSettings(service),
  }
}

function buildHealthcheck(check: NonNullable<ComposeService['healthcheck']>): Healthcheck | undefined {
  if (check.disable || check.test === undefined) return undefined
  return {
    test: check.test,
    intervalMs: check.interval,
    timeoutMs: check.timeout,
    retries: check.retries,
    startPeriodMs: check.start_period,
    startIntervalMs: check.start_interval,
  }
}

function withTimeout<T extends { readonly timeout: number }>(
  entry: T,
): Omit<T, 'timeout'> & { readonly timeoutMs: number } {
  const { timeout, ...rest } = entry
  return { ...rest, timeoutMs: timeout }
}

function withoutNull(map: Readonly<Record<string, string | null>>): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(map).filter((entry): entry is [string, string] => entry[1] !== null),
  )
}
