import { posix } from 'node:path'
import { parseDuration } from '@caretaker/kernel/time.ts'
import * as z from 'zod'

/** Pieces shared by the schemas of the compose file and of x-caretaker. Values may come from variables, so texts count as numbers. */

/** A refusal found inside a schema; becomes COMPOSE_KEY_REFUSED. */
export interface IssueParams {
  readonly refused?: boolean
  readonly next: string
}

type Context = { addIssue(issue: { code: 'custom'; message: string; params: object }): void }

/** Reports a custom problem from within a schema. */
export function report(context: Context, message: string, params: IssueParams): void {
  context.addIssue({ code: 'custom', message, params })
}

export const argv = z
  .array(
    z
      .string({ error: 'must be a text: put numbers, and what holds ": ", in quotes' })
      .refine((part) => !part.includes('\0'), 'holds a NUL character'),
    { error: 'must be an array of texts, as ["node", "server.js"]; there is no shell form' },
  )
  .min(1, 'must name a program')
  .refine((parts) => parts[0] !== '', 'must name a program')

export const duration = z
  .string({ error: 'must be a duration, as "30s" or "1m30s"' })
  .transform((text, context) => {
    const ms = parseDuration(text)
    if (ms !== undefined && ms <= 2 ** 31 - 1) return ms
    report(context, `"${text}" is no duration`, { next: 'Write it as "30s", "1m30s" or "2h"' })
    return z.NEVER
  })

export function integer(least: number, most: number) {
  const message = `must be a whole number from ${least} to ${most}`
  return z
    .union(
      [
        z.number(),
        z
          .string()
          .regex(/^\d{1,15}$/)
          .transform(Number),
      ],
      { error: message },
    )
    .refine((value) => Number.isInteger(value) && value >= least && value <= most, message)
}

export const port = integer(1, 65_535)

export const flag = z.union([z.boolean(), z.enum(['true', 'false']).transform((text) => text === 'true')], {
  error: 'must be true or false',
})

/** An absolute path of a URL, as `/health`. */
export const urlPath = z
  .string({ error: 'must be a path, as "/health"' })
  .regex(/^\/[\w\-.~!$&'()*+,;=:@%/?]*$/, 'must be a path that begins with "/", as "/health"')

/** A path inside the source, normalised, relative to the folder of the compose file. */
export const insideSource = z
  .string({ error: 'must be a path inside the source' })
  .transform((text, context) => {
    const path = posix.normalize(text).replace(/(.)\/$/, '$1')
    const outside = path.startsWith('/') || path === '..' || path.startsWith('../')
    if (text === '' || outside || text.includes('\0') || /^[a-z][a-z0-9+.-]*:|^git@/i.test(text)) {
      report(context, `"${text}" is not a path inside the source`, {
        refused: true,
        next: 'Name a path below the compose file, as "." or "./web": all of a release is pinned with its source',
      })
      return z.NEVER
    }
    return path
  })

export const VARIABLE_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/

const variableName = z
  .string()
  .regex(VARIABLE_NAME, 'is no name of a variable: letters, digits and _ only, not beginning with a digit')

/** Variables as a map or as a list of "NAME=value"; null means: the value comes from the config. */
export const variables = z
  .preprocess(
    listToMap,
    z.record(
      variableName,
      z
        .union([z.string(), z.number(), z.boolean(), z.null()], {
          error: 'must be a text, a number, or true or false',
        })
        .refine((value) => typeof value !== 'string' || !value.includes('\0'), 'holds a NUL character'),
      { error: 'must be a map of variables, or a list of "NAME=value"' },
    ),
  )
  .transform((map) =>
    Object.fromEntries(
      Object.entries(map).map(([name, value]) => [name, value === null ? null : String(value)]),
    ),
  )

function listToMap(value: unknown): unknown {
  if (!Array.isArray(value) || !value.every((entry) => typeof entry === 'string')) return value ?? {}
  return Object.fromEntries(
    value.map((entry) => {
      const equals = entry.indexOf('=')
      return equals < 0 ? [entry, null] : [entry.slice(0, equals), entry.slice(equals + 1)]
    }),
  )
}
