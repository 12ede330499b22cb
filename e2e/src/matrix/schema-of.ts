import { createHash } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import type { TestAppliance } from '../support/appliance.ts'
import { query } from '../support/postgres.ts'
import { dataPlaces } from '../writer/found.ts'

const QUESTIONS = [
  `select table_name, column_name, data_type, is_nullable, column_default from information_schema.columns
   where table_schema = 'public' order by table_name, column_name`,
  `select tablename, indexdef from pg_indexes where schemaname = 'public' order by tablename, indexname`,
  `select conrelid::regclass::text as of, conname, pg_get_constraintdef(oid) as definition from pg_constraint
   where connamespace = 'public'::regnamespace order by 1, 2`,
  'select name, sha256 from schema_migrations order by name',
]

/** How the data is laid out: a hash of every table, index, constraint and migration; and whether files lie in folders. */
export async function layoutOf(appliance: TestAppliance): Promise<string> {
  const { url, folder } = await dataPlaces(appliance)
  const sum = createHash('sha256')
  for (const question of QUESTIONS) sum.update(JSON.stringify(await query(url, question)))
  const names = await readdir(folder, { withFileTypes: true })
  const folders = names.filter((entry) => entry.isDirectory() && /^[0-9a-f]{2}$/.test(entry.name)).length
  return `${sum.digest('hex').slice(0, 16)}, files ${folders > 0 ? 'in folders' : 'side by side'}`
}
