import type { KeyPath } from '../config/problem.ts'
import type { Application } from './application.ts'
import type { ComposeFile } from './compose-schema.ts'
import { invalid, type Problem, refused, suggestion } from './problems.ts'
import { startOrder } from './start-order.ts'
import { wiringNames, wiringNamesOf } from './wiring.ts'

/** What folders, logs and containers can be named by. */
const NAME = /^[a-z]([a-z0-9_-]{0,38}[a-z0-9])?$/
const NAME_RULE = 'Use a-z, 0-9, "_" and "-", beginning with a letter, at most 40 characters'
/** Services that caretaker adds to an application: records, logs and commands go by the name. */
const RESERVED_SERVICES: ReadonlySet<string> = new Set(['postgres'])
const SECRET_NAME = /^[A-Za-z][A-Za-z0-9_-]{0,39}$/

/** What is wrong between the parts of an application whose parts are each of the right shape. */
export function applicationProblems(app: Application, compose: ComposeFile): readonly Problem[] {
  return [
    ...nameProblems(app, compose),
    ...serviceProblems(app, compose),
    ...volumeProblems(app, compose),
    ...secretProblems(app, compose),
    ...wiringProblems(app, compose),
  ]
}

function nameProblems(app: Application, compose: ComposeFile): readonly Problem[] {
  const named: readonly (readonly [KeyPath, string])[] = [
    ...app.services.map(({ name }) => [['services', name], name] as const),
    ...app.volumes.map(({ name }) => [['volumes', name], name] as const),
    ...(compose.name === undefined ? [] : [[['name'], compose.name] as const]),
  ]
  return [
    ...named
      .filter(([, name]) => !NAME.test(name))
      .map(([path, name]) =>
        invalid(path, `"${name}" cannot be a name: it becomes part of paths`, NAME_RULE),
      ),
    ...app.services
      .filter(({ name }) => RESERVED_SERVICES.has(name))
      .map(({ name }) =>
        refused(
          ['services', name],
          `"${name}" is the name of the Postgres that caretaker runs for an application`,
          'Give the service another name; for a database take it out and write "database: {}" in x-caretaker',
        ),
      ),
    ...app.secrets
      .filter(({ name, source }) => !SECRET_NAME.test(name) || !SECRET_NAME.test(source))
      .map(({ name }) =>
        invalid(
          ['secrets', name],
          `"${name}" cannot be the name of a secret`,
          'Use letters, digits, "_" and "-"',
        ),
      ),
  ]
}

function serviceProblems(app: Application, compose: ComposeFile): readonly Problem[] {
  const names = app.services.map(({ name }) => name)
  const section = compose['x-caretaker']
  const references: readonly (readonly [KeyPath, string])[] = [
    ...(['web', 'migrate', 'pre_migrate', 'smoke', 'acceptance', 'rebuild', 'first_user'] as const).flatMap(
      (part) => {
        const service = section[part]?.service
        return service === undefined ? [] : [[['x-caretaker', part, 'service'], service] as const]
      },
    ),
    ...app.jobs.map((job) => [['x-caretaker', 'jobs', job.name, 'service'], job.service] as const),
    ...app.metrics.map(
      (entry, index) => [['x-caretaker', 'metrics', index, 'service'], entry.service] as const,
    ),
    ...app.services.flatMap(({ name, dependsOn }) =>
      dependsOn.map(
        (dependency) => [['services', name, 'depends_on', dependency.service], dependency.service] as const,
      ),
    ),
  ]
  const unknown = references
    .filter(([, service]) => !names.includes(service))
    .map(([path, service]) => invalid(path, `there is no service "${service}"`, suggestion(service, names)))
  const unhealthy = app.services.flatMap(({ name, dependsOn }) =>
    dependsOn
      .filter(({ service, condition }) => condition === 'service_healthy' && !canTellHealth(app, service))
      .map(({ service }) =>
        invalid(
          ['services', name, 'depends_on', service, 'condition'],
          `"${service}" has no healthcheck, so it never becomes healthy`,
          `Add a healthcheck to "${service}", or wait for "service_started"`,
        ),
      ),
  )
  const order = startOrder(app.services)
  const cycle = order.ok
    ? []
    : [
        invalid(
          ['services', order.cycle[0] as string, 'depends_on'],
          `the services wait for each other: ${order.cycle.join(' → ')}`,
          'Take one of these dependencies out',
        ),
      ]
  return [...unknown, ...unhealthy, ...cycle]
}

/** The health of the web service is also known from its health path. */
function canTellHealth(app: Application, name: string): boolean {
  const service = app.services.find((entry) => entry.name === name)
  return service === undefined || service.healthcheck !== undefined || app.web.service === name
}

function volumeProblems(app: Application, compose: ComposeFile): readonly Problem[] {
  const { data, volatile } = compose['x-caretaker']
  const names = app.volumes.map(({ name }) => name)
  return [
    ...(['data', 'volatile'] as const).flatMap((kind) =>
      compose['x-caretaker'][kind].flatMap((name, index) =>
        names.includes(name)
          ? []
          : [invalid(['x-caretaker', kind, index], `there is no volume "${name}"`, suggestion(name, names))],
      ),
    ),
    ...names
      .filter((name) => !data.includes(name) && !volatile.includes(name))
      .map((name) =>
        refused(
          ['volumes', name],
          'it is neither under "data" nor under "volatile" of x-caretaker',
          `List "${name}" under "data" if it must never be lost, else under "volatile"`,
        ),
      ),
    ...names
      .filter((name) => data.includes(name) && volatile.includes(name))
      .map((name) =>
        invalid(
          ['volumes', name],
          'it is under "data" and under "volatile" of x-caretaker',
          'Remove it from one of the two',
        ),
      ),
    ...app.services.flatMap((service) =>
      service.mounts.flatMap(({ volume }, index) =>
        names.includes(volume)
          ? []
          : [
              invalid(
                ['services', service.name, 'volumes', index],
                `the volume "${volume}" is not declared`,
                names.length > 0 ? suggestion(volume, names) : `Add "${volume}: {}" under "volumes"`,
              ),
            ],
      ),
    ),
  ]
}

function secretProblems(app: Application, compose: ComposeFile): readonly Problem[] {
  const names = app.secrets.map(({ name }) => name)
  return [
    ...Object.entries(compose.secrets)
      .filter(([, secret]) => secret.external !== true && secret.environment === undefined)
      .map(([name]) =>
        invalid(
          ['secrets', name],
          'it does not say that its value comes from outside',
          'Write "external: true" in it',
        ),
      ),
    ...app.services.flatMap((service) =>
      service.secrets.flatMap(({ secret }, index) =>
        names.includes(secret)
          ? []
          : [
              invalid(
                ['services', service.name, 'secrets', index],
                `the secret "${secret}" is not declared`,
                names.length > 0
                  ? suggestion(secret, names)
                  : `Add "${secret}: {external: true}" under "secrets"`,
              ),
            ],
      ),
    ),
  ]
}

function wiringProblems(app: Application, compose: ComposeFile): readonly Problem[] {
  const wiring = new Map(wiringNames(app))
  // A service that listens on no port has no address, whatever it is called.
  const names = wiringNames({ ...app, services: app.services.filter(({ ports }) => ports.length > 0) })
  const set = new Map(names)
  const twice = names
    .filter(([name], index) => names.findIndex(([other]) => other === name) !== index)
    .map(([name, holds]) =>
      invalid(
        [],
        `${name} would be ${holds} and also ${names.find(([other]) => other === name)?.[1]}`,
        'Rename one of the two',
      ),
    )
  const declarations: readonly (readonly [KeyPath, readonly string[]])[] = [
    ...Object.entries(compose.services).map(
      ([name, service]) => [['services', name, 'environment'], Object.keys(service.environment)] as const,
    ),
    [['x-caretaker', 'clone', 'environment'], Object.keys(compose['x-caretaker'].clone.environment)],
  ]
  const missing = app.services.flatMap((service) =>
    Object.entries(service.lateEnvironment).flatMap(([name, text]) =>
      text.flatMap((part) =>
        typeof part === 'string' ||
        !wiring.has(part.variable) ||
        wiringNamesOf(app, service).includes(part.variable)
          ? []
          : [
              invalid(
                ['services', service.name, 'environment', name],
                `${part.variable} is not set for this service: it would be ${wiring.get(part.variable)}`,
                'Give the service that part, or take the variable out',
              ),
            ],
      ),
    ),
  )
  return [
    ...twice,
    ...missing,
    ...declarations.flatMap(([path, declared]) =>
      declared
        .filter((name) => set.has(name))
        .map((name) =>
          refused(
            [...path, name],
            `caretaker sets ${name} itself: ${set.get(name)}`,
            'Remove it and read the value at run time',
          ),
        ),
    ),
  ]
}
