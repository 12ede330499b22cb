import { MINUTE_MS } from '@caretaker/kernel/time.ts'
import { type DatabaseAddress, quoteIdentifier } from '@caretaker/ports/database.ts'
import type { Files } from '@caretaker/ports/files.ts'
import type { Ports } from '@caretaker/ports/ports.ts'

/** How much an application holds. */
export interface DataCount {
  /** Table (schema.name) → rows, counted. */
  readonly tables: Readonly<Record<string, number>>
  readonly files: number
}

/** What there is now beyond what there was then. */
export interface DataLoss {
  /** Tables whose number of rows differs, or that only one of the two has; null where it is not there. */
  readonly tables: readonly {
    readonly table: string
    readonly now: number | null
    readonly before: number | null
  }[]
  readonly files: { readonly now: number; readonly before: number }
}

/** Counts every row of every table of people and every file below a folder. */
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
        const counted: Record<string, number> = {}
        for (const { schema, name } of found) {
          const table = `${quoteIdentifier(schema)}.${quoteIdentifier(name)}`
          const [row] = await session.query<{ rows: string }>(`SELECT count(*) AS rows FROM ${table}`)
          counted[`${schema}.${name}`] = Number(row?.rows)
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

/** What would be lost by going from `now` to `before`, as far as counts tell. Pure. */
export function lossOf(now: DataCount, before: DataCount): DataLoss {
  const names = [...new Set([...Object.keys(now.tables), ...Object.keys(before.tables)])]
  const tables = names
    .toSorted((a, b) => (a < b ? -1 : 1))
    .flatMap((table) => {
      const entry = { table, now: now.tables[table] ?? null, before: before.tables[table] ?? null }
      return entry.now === entry.before ? [] : [entry]
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
          : `${table}: ${now} rows now, ${before} then`,
    )
  const more = tables.length > 20 ? [`${tables.length - 20} more tables`] : []
  const ofFiles = files.now === files.before ? [] : [`files: ${files.now} now, ${files.before} then`]
  const all = [...ofTables, ...more, ...ofFiles]
  return all.length === 0
    ? 'all counts are equal; what was changed in place is lost all the same'
    : all.join('; ')
}
