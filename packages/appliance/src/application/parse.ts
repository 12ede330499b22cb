import { AppError } from '@caretaker/kernel/errors.ts'
import type { Application } from './application.ts'
import { applicationProblems } from './application-problems.ts'
import { buildApplication } from './build-application.ts'
import { type RuntimeName, runtimeProblems } from './check-runtime.ts'
import { readComposeDocument } from './compose-document.ts'
import { composeSchema } from './compose-schema.ts'
import { fillVariables, withoutExtensions } from './compose-variables.ts'
import { configErrors, declarationsOf, wiringNamesIn } from './declarations.ts'
import { type Problem, problemsError } from './problems.ts'
import { schemaProblems } from './schema-problems.ts'
import { startOrder } from './start-order.ts'

export interface ComposeInput {
  /** Name of the application in the config. */
  readonly name: string
  /** Path of the compose file, for messages. */
  readonly file: string
  readonly text: string
  /** `environment` of the application in the config: fills variables, and replaces values of declared ones. */
  readonly environment: Readonly<Record<string, string>>
  /** `secrets` of the application in the config; the keys count, the values are not looked at. */
  readonly secrets: Readonly<Record<string, unknown>>
  /** When given, what this runtime cannot honour is found in the same go, with its line. */
  readonly runtime?: RuntimeName
}

/**
 * The application that a compose file with its `x-caretaker` section describes, with the values of one config put in.
 * All problems are found in one go: the first is thrown, the others are in its `also`.
 * @throws AppError COMPOSE_SYNTAX, COMPOSE_INVALID, COMPOSE_KEY_REFUSED (file, line, key path), or
 *   CONFIG_UNKNOWN_KEY, CONFIG_MISSING, CONFIG_CONFLICT when the config and the declared names do not match. Exit 2 all.
 */
export function parseApplication(input: ComposeInput): Application {
  const secrets = Object.keys(input.secrets)
  const document = readComposeDocument(input.file, input.text)
  const raw = withoutExtensions(document.value)
  const fail = (problems: readonly Problem[]): void => {
    const [first, ...others] = problems
    if (first) throw problemsError(input.name, [first, ...others], (path) => document.locate(path))
  }
  const filled = fillVariables(raw, {
    environment: input.environment,
    secrets,
    wiring: wiringNamesIn(raw),
  })
  fail(filled.problems)

  const shape = composeSchema.safeParse(filled.value)
  if (!shape.success) fail(schemaProblems(composeSchema, shape.error.issues, filled.value))
  const compose = shape.data as NonNullable<typeof shape.data>

  const app = buildApplication(
    input.name,
    compose,
    { environment: input.environment, secrets, late: filled.late },
    filled.notices,
  )
  fail([...applicationProblems(app, compose), ...(input.runtime ? runtimeProblems(app, input.runtime) : [])])
  failTogether(configErrors(input.name, declarationsOf(raw), input.environment, secrets))

  const order = startOrder(app.services)
  return deepFreeze({ ...app, services: order.ok ? order.services : app.services })
}

function failTogether(errors: readonly AppError[]): void {
  const [first, ...also] = errors
  if (!first) return
  const { code, what, why, next, key } = first
  throw new AppError(code, { what, why, next, also, ...(key === undefined ? {} : { key }) })
}

function deepFreeze<T>(value: T): T {
  if (value !== null && typeof value === 'object' && !Object.isFrozen(value)) {
    Object.freeze(value)
    for (const entry of Object.values(value)) deepFreeze(entry)
  }
  return value
}
