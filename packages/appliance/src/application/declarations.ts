import { AppError } from '@caretaker/kernel/errors.ts'
import { readComposeDocument } from './compose-document.ts'
import { variableNames, withoutExtensions } from './compose-variables.ts'
import { suggestion } from './problems.ts'
import { valueAt } from './schema-problems.ts'
import { wiringNamesInTexts } from './wiring.ts'

/** The names through which the config can give values to an application. */
export interface Declarations {
  /** Variables of services, and variables used in texts of the compose file. */
  readonly environment: readonly string[]
  /** Keys under `secrets` of the config that the compose file asks for. */
  readonly secrets: readonly string[]
}

/**
 * The names a compose file declares, for a config that is about to be written.
 * @throws AppError COMPOSE_SYNTAX
 */
export function readDeclarations(file: string, text: string): Declarations {
  return declarationsOf(withoutExtensions(readComposeDocument(file, text).value))
}

/** What caretaker sets for the services of this plain value of a compose file, however wrong the rest of it is. */
export function wiringNamesIn(value: unknown): readonly string[] {
  const section = mapAt(value, 'x-caretaker')
  const named = (key: string) => Object.keys(mapAt(value, key)).map((name) => ({ name }))
  const volatile = Array.isArray(section['volatile']) ? section['volatile'] : []
  return wiringNamesInTexts({
    services: named('services'),
    secrets: named('secrets').map(({ name }) => ({ name, source: name })),
    volumes: named('volumes').map(({ name }) => ({
      name,
      kind: volatile.includes(name) ? 'volatile' : 'data',
    })),
    database: Object.hasOwn(section, 'database') ? { extensions: [] } : undefined,
  })
}

/** The names declared in the plain value of a compose file, however wrong the rest of it is. */
export function declarationsOf(value: unknown): Declarations {
  const services = Object.values(mapAt(value, 'services'))
  const names = services.flatMap((service) => variablesOf(valueAt(service, ['environment'])))
  const cloned = variablesOf(valueAt(value, ['x-caretaker', 'clone', 'environment']))
  const secrets = Object.entries(mapAt(value, 'secrets')).map(([name, secret]) => secretSource(name, secret))
  const wiring = wiringNamesIn(value)
  const used = variableNames(value).filter((name) => !wiring.includes(name))
  return {
    environment: [...new Set([...names, ...cloned, ...used])].toSorted(),
    secrets: [...new Set(secrets)].toSorted(),
  }
}

/**
 * The key under `secrets` of the config that fills this secret of the compose file: its `name`, else its key.
 * `environment` says where plain compose takes the value from and does not count.
 */
export function secretSource(name: string, secret: unknown): string {
  const source = valueAt(secret, ['name'])
  return typeof source === 'string' ? source : name
}

/**
 * Errors about config keys that reach nothing, and about secrets that have no value.
 * A secret reaches the application as a file, or as a variable it declares without a value.
 */
export function configErrors(
  app: string,
  declared: Declarations,
  environment: Readonly<Record<string, string>>,
  secrets: readonly string[],
): readonly AppError[] {
  const key = (part: 'environment' | 'secrets', name: string): string =>
    `caretaker.applications.${app}.${part}.${name}`
  const unknown = (part: 'environment' | 'secrets', name: string, known: readonly string[]): AppError =>
    new AppError('CONFIG_UNKNOWN_KEY', {
      what: `"${name}" in the config cannot reach ${app}`,
      why: `its compose file declares no ${part === 'secrets' ? 'secret' : 'variable'} of this name`,
      next: suggestion(name, known),
      key: key(part, name),
    })
  const secretNames = [...declared.secrets, ...declared.environment]
  return [
    ...Object.keys(environment)
      .filter((name) => !declared.environment.includes(name))
      .map((name) => unknown('environment', name, declared.environment)),
    ...secrets
      .filter((name) => !secretNames.includes(name))
      .map((name) => unknown('secrets', name, declared.secrets)),
    ...secrets
      .filter((name) => Object.hasOwn(environment, name))
      .map(
        (name) =>
          new AppError('CONFIG_CONFLICT', {
            what: `"${name}" of ${app} has two values in the config`,
            why: 'it stands under "environment" and under "secrets"',
            next: 'Remove one of the two',
            key: key('environment', name),
          }),
      ),
    ...declared.secrets
      .filter((name) => !secrets.includes(name))
      .map(
        (name) =>
          new AppError('CONFIG_MISSING', {
            what: `The secret "${name}" of ${app} has no value`,
            why: 'its compose file asks for it and the config does not hold it',
            next: `Write "${name}" under "secrets" of the application in the config`,
            key: key('secrets', name),
          }),
      ),
  ]
}

function mapAt(value: unknown, key: string): Readonly<Record<string, unknown>> {
  const entry = valueAt(value, [key])
  return entry !== null && typeof entry === 'object' && !Array.isArray(entry)
    ? (entry as Record<string, unknown>)
    : {}
}

function variablesOf(environment: unknown): readonly string[] {
  if (Array.isArray(environment)) {
    return environment.filter((entry) => typeof entry === 'string').map((entry) => entry.split('=')[0] ?? '')
  }
  return environment !== null && typeof environment === 'object' ? Object.keys(environment) : []
}
