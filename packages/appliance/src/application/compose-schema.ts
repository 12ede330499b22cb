import * as z from 'zod'
import { caretakerSchema } from './caretaker-schema.ts'
import { containerKeys } from './container-keys.ts'
import { argv, duration, flag, insideSource, integer, port, report, variables } from './schema-parts.ts'

const SIGNALS = [
  'SIGTERM',
  'SIGINT',
  'SIGQUIT',
  'SIGHUP',
  'SIGUSR1',
  'SIGUSR2',
  'SIGWINCH',
  'SIGKILL',
] as const

const command = z.union([argv, z.string().min(1)], {
  error: 'must be an array of texts, as ["node", "server.js"], with numbers in quotes',
})

const build = z.preprocess(
  (value) => (typeof value === 'string' ? { context: value } : value),
  z.strictObject(
    {
      context: insideSource.default('.'),
      dockerfile: insideSource.optional(),
      args: variables.default({}),
    },
    { error: 'must be a folder, or a map with "context"' },
  ),
)

const healthcheck = z.strictObject({
  test: z
    .union([z.string().min(1), z.array(z.string()).min(1)], {
      error: 'must be an array that begins with "CMD", as ["CMD", "node", "health.js"]',
    })
    .transform((test, context) => {
      if (typeof test === 'string') return test
      const [form, ...rest] = test
      if (form === 'NONE' && rest.length === 0) return undefined
      if (form === 'CMD' && rest.length > 0) return rest
      if (form === 'CMD-SHELL' && rest.length === 1) return rest[0] as string
      report(context, 'must begin with "CMD" or "CMD-SHELL" and then name what to run', {
        next: 'Write it as ["CMD", "node", "health.js"]',
      })
      return z.NEVER
    })
    .optional(),
  interval: duration.default(30_000),
  timeout: duration.default(30_000),
  retries: integer(1, 1000).default(3),
  start_period: duration.default(0),
  start_interval: duration.default(5000),
  disable: flag.default(false),
})

const dependsOn = z.preprocess(
  (value) =>
    Array.isArray(value) && value.every((name) => typeof name === 'string')
      ? Object.fromEntries(value.map((name) => [name, { condition: 'service_started' }]))
      : value,
  z.record(
    z.string(),
    z.strictObject({
      condition: z.enum(['service_started', 'service_healthy', 'service_completed_successfully']),
    }),
    { error: 'must be a list of services, or a map of services with a "condition"' },
  ),
)

const USE_NAMED_VOLUME =
  'Use a named volume ("NAME:/path"), list it under "volumes" and under "data" or "volatile" of x-caretaker'

const mount = z.preprocess(
  splitMount,
  z.strictObject(
    {
      type: z.string().superRefine((type, context) => {
        if (type !== 'volume') {
          report(context, `"${type}" is no named volume`, { refused: true, next: USE_NAMED_VOLUME })
        }
      }),
      source: z.string({ error: 'must name a volume; volumes without a name cannot be kept' }),
      target: z.string().regex(/^\/[^\0]*$/, 'must be an absolute path in the container'),
      read_only: flag.default(false),
    },
    { error: 'must be "NAME:/path", or a map with "type", "source" and "target"' },
  ),
)

/** The long form of `name:/path[:ro]`. What names a path instead of a volume is refused. */
function splitMount(value: unknown, context: Parameters<typeof report>[0]): unknown {
  if (typeof value !== 'string') return value
  const [source = '', target, mode, ...rest] = value.split(':')
  if (target === undefined || /^[./~]/.test(source)) {
    report(
      context,
      `"${value}" ${target === undefined ? 'has no name' : 'is a path of the machine, not a volume'}`,
      {
        refused: true,
        next: USE_NAMED_VOLUME,
      },
    )
    return z.NEVER
  }
  if (rest.length > 0 || (mode !== undefined && mode !== 'ro' && mode !== 'rw')) {
    report(context, `"${value}" has options other than "ro"`, {
      refused: true,
      next: 'Write it as "NAME:/path" or "NAME:/path:ro"',
    })
    return z.NEVER
  }
  return { type: 'volume', source, target, read_only: mode === 'ro' }
}

const secretMount = z.preprocess(
  (value) => (typeof value === 'string' ? { source: value } : value),
  z.strictObject(
    {
      source: z.string(),
      target: z
        .string()
        .regex(/^[^\0]+$/)
        .optional(),
    },
    { error: 'must be the name of a secret, or a map with "source"' },
  ),
)

const exposed = z.preprocess(
  (value) => (typeof value === 'string' ? value.replace(/\/tcp$/, '') : value),
  port,
)

const service = z.strictObject(
  {
    ...containerKeys,
    build: build.optional(),
    image: z.string().min(1).optional(),
    command: command.nullish(),
    entrypoint: command.nullish(),
    environment: variables.default({}),
    depends_on: dependsOn.default({}),
    healthcheck: healthcheck.optional(),
    volumes: z.array(mount, { error: 'must be a list' }).default([]),
    secrets: z.array(secretMount, { error: 'must be a list' }).default([]),
    expose: z.array(exposed, { error: 'must be a list of ports' }).default([]),
    stop_grace_period: duration.optional(),
    stop_signal: z
      .preprocess(
        (value) => (typeof value === 'string' && !value.startsWith('SIG') ? `SIG${value}` : value),
        z.enum(SIGNALS),
      )
      .default('SIGTERM'),
    restart: z
      .enum(['no', 'always', 'on-failure', 'unless-stopped'], {
        error:
          'must be no, always, on-failure or unless-stopped; caretaker itself bounds how often it restarts',
      })
      .optional(),
    working_dir: z.string().min(1).optional(),
    user: z.union([z.string().min(1), z.number().transform(String)]).optional(),
    init: flag.default(false),
  },
  { error: 'must be a map that describes a service' },
)

const secret = z.strictObject(
  {
    external: flag.optional(),
    name: z.string().min(1).optional(),
    environment: z.string().min(1).optional(),
  },
  { error: 'must be a map, as {external: true}' },
)

const emptyVolume = z.preprocess((value) => value ?? {}, z.strictObject({}, { error: 'must be empty' }))

/** What is honoured of the compose specification. `x-` keys but ours are taken out before. */
export const composeSchema = z.strictObject(
  {
    version: z.union([z.string(), z.number()]).optional(),
    name: z.string().optional(),
    services: z
      .record(z.string(), service, { error: 'must be a map of services' })
      .refine((services) => Object.keys(services).length > 0, 'names no service'),
    volumes: z.preprocess(
      (value) => value ?? {},
      z.record(z.string(), emptyVolume, { error: 'must be a map of volumes' }),
    ),
    secrets: z.preprocess(
      (value) => value ?? {},
      z.record(z.string(), secret, { error: 'must be a map of secrets' }),
    ),
    'x-caretaker': caretakerSchema,
  },
  { error: 'must be a map that begins with "services:"' },
)

export type ComposeFile = z.output<typeof composeSchema>
export type ComposeService = z.output<typeof service>

/** Keys of a service that are honoured, by one runtime at least. */
export const HONOURED_SERVICE_KEYS: readonly string[] = Object.keys(service.shape)
