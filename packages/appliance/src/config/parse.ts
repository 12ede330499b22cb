import type { ApplicationConfig, Config } from './config.ts'
import { findConflicts } from './conflicts.ts'
import { explainIssue, type IssueContext } from './issues.ts'
import { configJsonSchema, type JsonSchema } from './json-schema.ts'
import { type KeyPath, type Problem, toConfigError } from './problem.ts'
import { type Position, positionKey, readYaml, type YamlTree } from './read-yaml.ts'
import { caretakerSchema, type ParsedCaretaker } from './schema.ts'
import { checkSourceText } from './source-text.ts'
import { checkTopLevel } from './top-level.ts'

export interface ParsedConfig {
  readonly config: Config
  readonly file: string
  /** The place of a path below `caretaker` as written in the file; undefined for a default. */
  positionOf(path: KeyPath): Position | undefined
}

/** More issues of the schema than are explained at a time. */
const MOST_EXPLAINED = 200

/**
 * The config in `text`; `file` is what messages call it.
 * @throws AppError CONFIG_SYNTAX, CONFIG_UNKNOWN_KEY, CONFIG_WRONG_TYPE, CONFIG_MISSING, CONFIG_CONFLICT,
 * CONFIG_TOO_LARGE or NOT_IN_THIS_VERSION for the first problem in the file, with the others in `also`.
 */
export function parseConfig(text: string, file: string): ParsedConfig {
  const unusable = checkSourceText(text)
  if (unusable) throw toConfigError([unusable], file)
  const problems: Problem[] = []
  const tree = readYaml(text, 'caretaker', problems)
  if (problems.length === 0) problems.push(...checkTopLevel(tree))
  if (problems.length > 0) throw toConfigError(problems, file)

  const result = caretakerSchema.safeParse(tree.value.caretaker)
  if (!result.success) {
    const context = createContext(tree)
    const issues = result.error.issues.slice(0, MOST_EXPLAINED)
    throw toConfigError(
      issues.flatMap((issue) => explainIssue(issue, context)),
      file,
    )
  }
  const config = freeze(complete(result.data))
  const conflicts = findConflicts(config)
  if (conflicts.length > 0)
    throw toConfigError(
      conflicts.map((conflict) => toProblem(conflict, tree)),
      file,
    )
  return { config, file, positionOf: (path) => tree.positions.get(positionKey(['caretaker', ...path])) }
}

function toProblem(conflict: ReturnType<typeof findConflicts>[number], tree: YamlTree): Problem {
  return {
    code: 'CONFIG_CONFLICT',
    why: conflict.why,
    next: conflict.next,
    ...nearest(tree, conflict.path),
    path: ['caretaker', ...conflict.path],
  }
}

/** Fills in the defaults that depend on other values. */
function complete(parsed: ParsedCaretaker): Config {
  const { domain } = parsed.identity
  const applications = Object.entries(parsed.applications).map(
    ([name, entry]): [string, ApplicationConfig] => [
      name,
      { ...entry, hosts: entry.hosts ?? [`${name}.${domain}`] },
    ],
  )
  return {
    ...parsed,
    identity: { ...parsed.identity, hostname: parsed.identity.hostname ?? `appliance.${domain}` },
    applications: Object.fromEntries(applications),
  }
}

function freeze<T>(value: T): T {
  if (value !== null && typeof value === 'object') {
    for (const entry of Object.values(value)) freeze(entry)
    Object.freeze(value)
  }
  return value
}

function nearest(tree: YamlTree, path: KeyPath): Position {
  for (let length = path.length; length >= 0; length--) {
    const position = tree.positions.get(positionKey(['caretaker', ...path.slice(0, length)]))
    if (position) return position
  }
  return { line: 1, column: 1 }
}

function createContext(tree: YamlTree): IssueContext {
  const root = configJsonSchema().properties?.caretaker as JsonSchema
  return {
    valueAt: (path) =>
      path.reduce<unknown>(
        (value, part) =>
          value !== null && typeof value === 'object' && Object.hasOwn(value, part)
            ? (value as Record<string | number, unknown>)[part]
            : undefined,
        tree.value.caretaker,
      ),
    positionOf: (path) => nearest(tree, path),
    knownKeys: (path) => Object.keys(schemaAt(root, path.slice(0, -1))?.properties ?? {}),
    pathsNamed: (key) => pathsNamed(root, key, 'caretaker'),
  }
}

/** The schema of what stands at a path; a name of the person's choice leads to its `additionalProperties`. */
function schemaAt(root: JsonSchema, path: KeyPath): JsonSchema | undefined {
  return path.reduce<JsonSchema | undefined>((schema, part) => {
    const { additionalProperties: any } = schema ?? {}
    return schema?.properties?.[part] ?? (typeof any === 'object' ? any : undefined)
  }, root)
}

function pathsNamed(schema: JsonSchema, key: string, path: string): string[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, inner]) => [
    ...(name === key ? [`${path}.${name}`] : []),
    ...pathsNamed(inner, key, `${path}.${name}`),
  ])
}
