import type { TestAppliance } from './appliance.ts'

/** What the guestbook keeps: its schema, and hashes over the rows of each table and over each file. */
export interface GuestbookData {
  readonly schema: string
  readonly tables: Readonly<Record<string, string>>
  readonly files: Readonly<Record<string, string>>
}

/** As database and disk give them; without the table that the worker counts anew at each start. */
export async function dataOf(appliance: Pick<TestAppliance, 'ok'>): Promise<GuestbookData> {
  const words = ['app', 'exec', 'guestbook', '--', 'node', '--input-type=module', '-e', HASHES]
  const { stdout } = await appliance.ok(...words)
  return JSON.parse(stdout.slice(stdout.indexOf('{'))) as GuestbookData
}

const HASHES = `
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { openPool } from './src/database.mjs'
const pool = openPool(process.env.DATABASE_URL)
const names = await pool.query("select tablename from pg_tables where schemaname = 'public' and tablename <> 'daily_counts' order by 1")
const tables = {}
for (const { tablename } of names.rows) {
  const { rows } = await pool.query('select md5(coalesce(string_agg(md5(t::text), $1 order by md5(t::text)), $1)) as hash from "' + tablename + '" t', [''])
  tables[tablename] = rows[0].hash
}
const { rows } = await pool.query("select table_name, column_name, data_type, is_nullable, column_default from information_schema.columns where table_schema = 'public' order by 1, 2")
const indexes = await pool.query("select indexdef from pg_indexes where schemaname = 'public' and tablename <> 'daily_counts' order by 1")
const root = process.env.DATA_DIR_FILES
const files = {}
for (const entry of readdirSync(root, { recursive: true, withFileTypes: true })) {
  const path = join(entry.parentPath, entry.name)
  if (entry.isFile()) files[path.slice(root.length + 1)] = createHash('sha256').update(readFileSync(path)).digest('hex')
}
console.log(JSON.stringify({ tables, schema: JSON.stringify([rows, indexes.rows]), files: Object.fromEntries(Object.entries(files).sort()) }))
await pool.end()
`
