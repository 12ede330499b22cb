import { isName } from '@caretaker/kernel/ids.ts'
import { HOUR_MS, MINUTE_MS } from '@caretaker/kernel/time.ts'
import { Cron } from 'croner'
import * as z from 'zod'
import { argv, duration, insideSource, port, report, urlPath, variables } from './schema-parts.ts'

/** It becomes part of a folder name. */
const VERSION_LABEL = /^[A-Za-z0-9][A-Za-z0-9._+-]{0,39}$/

const name = z.string({ error: 'must be a name' })

function commandOf(timeoutMs: number) {
  return z.strictObject(
    { service: name, command: argv, timeout: duration.default(timeoutMs) },
    { error: 'must be a map with "service" and "command"' },
  )
}

function namesOf(what: string) {
  return z.preprocess((value) => value ?? [], z.array(name, { error: `must be a list of ${what}` }))
}

const schedule = z
  .string({ error: 'must be a cron pattern, as "30 2 * * *"' })
  .superRefine((pattern, context) => {
    const why = whyNoSchedule(pattern)
    if (why !== undefined) {
      report(context, `"${pattern}" ${why}`, {
        next: 'Write five fields: minute hour day month weekday, as "30 2 * * *"',
      })
    }
  })

/** Reason why a cron pattern cannot be used. */
function whyNoSchedule(pattern: string): string | undefined {
  if (!/^@\w+$/.test(pattern) && pattern.trim().split(/\s+/).length !== 5) return 'does not have five fields'
  try {
    // An offset and not a time zone: the first use of a zone costs a process 8 MB and 11 ms.
    const job = new Cron(pattern, { paused: true, utcOffset: 0 })
    const next = job.nextRun(new Date(Date.UTC(2026, 0, 1)))
    job.stop()
    return next === null ? 'never falls due' : undefined
  } catch {
    return 'is no cron pattern'
  }
}

const job = z.strictObject({
  schedule,
  command: argv,
  service: name.optional(),
  missed: z.enum(['once', 'skip']).default('skip'),
  timeout: duration.default(HOUR_MS),
})

const checkedName = z
  .string()
  .refine(isName, 'is no name: a-z, 0-9 and -, beginning with a letter, at most 40 characters')

/** The `x-caretaker` section. Timeouts left out are the defaults here. */
export const caretakerSchema = z.strictObject(
  {
    version: z
      .string({ error: 'must be a text: put the version in quotes' })
      .regex(VERSION_LABEL, 'must be 1 to 40 letters, digits, ".", "_", "+" or "-"')
      .refine((label) => !label.includes('..'), 'must not hold ".."'),
    web: z.strictObject(
      { service: name, port, health: urlPath },
      { error: 'must be a map with "service", "port" and "health"' },
    ),
    database: z
      .preprocess(
        (value) => value ?? {},
        z.strictObject({
          extensions: z
            .array(z.string().regex(/^[a-z][a-z0-9_-]{0,62}$/, 'is no name of a Postgres extension'))
            .default([]),
        }),
      )
      .optional(),
    data: namesOf('volumes'),
    volatile: namesOf('volumes'),
    migrate: z
      .strictObject({ service: name, check: argv, run: argv, timeout: duration.default(HOUR_MS) })
      .optional(),
    pre_migrate: commandOf(HOUR_MS).optional(),
    smoke: commandOf(2 * MINUTE_MS).optional(),
    acceptance: commandOf(15 * MINUTE_MS).optional(),
    commands: z.record(checkedName, argv, { error: 'must be a map of arrays' }).default({}),
    rebuild: commandOf(HOUR_MS).optional(),
    jobs: z.record(checkedName, job, { error: 'must be a map of jobs' }).default({}),
    first_user: commandOf(2 * MINUTE_MS).optional(),
    clone: z
      .strictObject({
        environment: variables.default({}),
        scrub: insideSource.optional(),
        mail: z.literal('sink', { error: 'must be "sink": no mail leaves a clone' }).default('sink'),
      })
      .prefault({}),
    metrics: z
      .array(z.strictObject({ service: name, port, path: urlPath.default('/metrics') }), {
        error: 'must be a list',
      })
      .default([]),
  },
  { error: 'must be a map with at least "version" and "web"' },
)

export type CaretakerSection = z.output<typeof caretakerSchema>
