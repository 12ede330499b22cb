import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'

const FOLDER = new URL('../migrations/', import.meta.url)

/** The migrations of this release in order: `{number, name, sha256, url}`. A file is SQL or a module with `up`. */
export async function releaseMigrations() {
  const names = (await readdir(FOLDER)).filter((name) => /^\d{3}_\w+\.(sql|mjs)$/.test(name)).sort()
  return Promise.all(
    names.map(async (name) => {
      const url = new URL(name, FOLDER)
      const sha256 = createHash('sha256')
        .update(await readFile(url))
        .digest('hex')
      return { number: Number(name.slice(0, 3)), name, sha256, url }
    }),
  )
}

/** What the database has behind it, in order. Reads only; a database without the table has nothing behind it. */
export async function appliedMigrations(queryable) {
  const { rows } = await queryable.query({
    text: `select to_regclass('schema_migrations') is not null as present`,
    query_timeout: 3_000,
  })
  if (!rows[0].present) return []
  const applied = await queryable.query({
    text: 'select name, sha256 from schema_migrations order by name',
    query_timeout: 3_000,
  })
  return applied.rows
}

/**
 * Compares a release with a database: `{pending}` in order, and `problem` (a sentence) if the database is not one
 * this release can be migrated to.
 */
export function compareMigrations(ofRelease, applied) {
  const known = new Map(ofRelease.map((each) => [each.name, each]))
  const foreign = applied.find((each) => !known.has(each.name))
  if (foreign)
    return { pending: [], problem: `the database has ${foreign.name}, which this release does not know` }
  const changed = applied.find((each) => known.get(each.name).sha256 !== each.sha256)
  if (changed) return { pending: [], problem: `${changed.name} was changed after it had been applied` }
  const done = new Set(applied.map((each) => each.name))
  const pending = ofRelease.filter((each) => !done.has(each.name))
  const last = applied.at(-1)?.name ?? ''
  const late = pending.find((each) => each.name < last)
  if (late)
    return { pending: [], problem: `${late.name} would have to be applied before ${last}, which already is` }
  return { pending }
}
