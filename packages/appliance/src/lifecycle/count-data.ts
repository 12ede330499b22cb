import { MINUTE_MS } from '@caretaker/kernel/time.ts'
import { type DatabaseAddress, quoteIdentifier } from '@caretaker/ports/database.ts'
import type { Files } from '@caretaker/ports/files.ts'
import type { Ports } from '@caretaker/ports/ports.ts'

/** What is known of one table: its rows, counted, and a digest of them all, in whatever order they lie. */
export interface TableCount {
  readonly rows: number
  readonly digest: string
}

/** How much an application holds. */
export interface DataCount {
  /** By table (schema.name). */
  readonly tables: Readonly<Record<string, TableCount>>
  readonly files: number
}

/** What there is now beyond what there was then. */
export interface DataLoss {
  /** Tables whose rows differ, equal numbers too, or that only one of the two has; null where it is not there. */
  readonly tables: readonly {
    readonly table: string
    readonly now: number | null
    readonly before: number | null
  }[]
  readonly files: { readonly now: number; readonly before: number }
}

/** Counts and digests every row of every table of people and every file below a folder. */
export async function countData(
  { databases, files }: Pick<Ports, 'databases' | 'files'>,
  address: DatabaseAddress | undefined,
  folder: string,
): Promise<DataCount> {
  const tables = address
    ? await databases.withSession(address, { timeoutMs: 30 * MINUTE_MS }, async (session) => {
        const found = await session.query<{ schema: string; name: string }>(
          `SELECT n.nspname AS schema, c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
           WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition
             AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema' ORDER BY 1, 2`,
        )
        const counted: Record<string, TableCount> = {}
        for (const { schema, name } of found) {
          const table = `${quoteIdentifier(schema)}.${quoteIdentifier(name)}`
          const [row] = await session.query<{ rows: string; digest: string }>(
            `SELECT count(*) AS rows, coalesce(sum(hashtextextended((t.*)::text, 0)), 0)::text AS digest FROM ${table} t`,
          )
          counted[`${schema}.${name}`] = { rows: Number(row?.rows), digest: row?.digest ?? '' }
        }
        return counted
      })
    : {}
  return { tables, files: await countFiles(files, folder) }
}

async function countFiles(files: Pick<Files, 'list'>, folder: string): Promise<number> {
  let count = 0
  for (const { name, kind } of (await files.list(folder)) ?? [])
    count += kind === 'folder' ? await countFiles(files, `${folder}/${name}`) : 1
  return count
}

/**
 * What would be lost by going from `now` to `before`, as far as counts and digests tell. A table without rows that was
 * not there before holds nothing to lose. Pure.
 */
export function lossOf(now: DataCount, before: DataCount): DataLoss {
  const names = [...new Set([...Object.keys(now.tables), ...Object.keys(before.tables)])]
  const tables = names
    .toSorted((a, b) => (a < b ? -1 : 1))
    .flatMap((table) => {
      const [is, was] = [now.tables[table], before.tables[table]]
      const isSame = is?.digest === was?.digest && is?.rows === was?.rows
      if (isSame || (was === undefined && is?.rows === 0)) return []
      return [{ table, now: is?.rows ?? null, before: was?.rows ?? null }]
    })
  return { tables, files: { now: now.files, before: before.files } }
}

/** The loss in words, as the end of a sentence. Pure. */
export function sayLoss({ tables, files }: DataLoss): string {
  const ofTables = tables
    .slice(0, 20)
    .map(({ table, now, before }) =>
      before === null
        ? `the table ${table} with ${now} rows`
        : now === null
          ? `(the table ${table} comes back with ${before} rows)`
          : now === before
            ? `${table}: ${now} rows now and then, not the same ones`
            : `${table}: ${now} rows now, ${before} then`,
    )
  const more = tables.length > 20 ? [`${tables.length - 20} more tables`] : []
  const ofFiles = files.now === files.before ? [] : [`files: ${files.now} now, ${files.before} then`]
  const all = [...ofTables, ...more, ...ofFiles]
  const counted = all.length === 0 ? 'all counts are equal' : all.join('; ')
  return `${counted}; whatever was added or changed since is lost, also where the counts do not show it`
}
