import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestAppliance } from '../support/appliance.ts'
import { query } from '../support/postgres.ts'

/** What an application holds, seen by SQL and by reading files: its own word is not asked. */
export interface Held {
  readonly schema: string
  /** Table → hash of its rows, in their order as text. */
  readonly rows: Readonly<Record<string, string>>
  /** Path below the files → hash. */
  readonly files: Readonly<Record<string, string>>
}

/** The whole content of the database and of the files of a guestbook that runs. */
export async function heldBy(appliance: TestAppliance): Promise<Held> {
  const url = await databaseUrl(appliance, 'guestbook')
  const { schema, rows } = await heldInDatabase(url)
  const { [RECOUNTED]: _own, ...written } = rows
  return { schema, rows: written, files: await hashesBelow(await filesFolder(appliance)) }
}

/** The worker of the guestbook writes it from the other tables, whenever it likes. */
const RECOUNTED = 'public.daily_counts'

/** Schema and rows of a database, by its URL as {@link databaseUrl} gives it. */
export async function heldInDatabase(url: string): Promise<Pick<Held, 'schema' | 'rows'>> {
  const tables = await query(
    url,
    "select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname not in ('pg_catalog', 'information_schema') order by 1",
  )
  const rows: Record<string, string> = {}
  for (const { name } of tables as { name: string }[]) {
    const [found] = await query(
      url,
      `select count(*) || ' ' || coalesce(md5(string_agg(t::text, '\n' order by t::text)), '') as hash from ${name} t`,
    )
    rows[name] = String(found?.['hash'])
  }
  return { schema: await schemaOf(url), rows }
}

/** All that the catalogue has of what is no system's, in words of the server. */
const SCHEMA = `
  select format('column %I.%I %s %s %s', table_schema || '.' || table_name, column_name, data_type, is_nullable, column_default)
    as line from information_schema.columns where table_schema not in ('pg_catalog', 'information_schema')
  union all select indexdef from pg_indexes where schemaname not in ('pg_catalog', 'information_schema')
  union all select format('%s %I %s', conrelid::regclass, conname, pg_get_constraintdef(oid)) from pg_constraint
  union all select format('view %I %s', viewname, definition) from pg_views
    where schemaname not in ('pg_catalog', 'information_schema')
  union all select pg_get_triggerdef(oid) from pg_trigger where not tgisinternal
  union all select pg_get_functiondef(oid) from pg_proc where prokind in ('f', 'p') and oid >= 16384
  union all select format('sequence %I %s %s', sequencename, data_type, increment_by) from pg_sequences
  union all select format('type %s', typname) from pg_type where oid >= 16384
  order by 1`

async function schemaOf(url: string): Promise<string> {
  return (await query(url, SCHEMA)).map(({ line }) => String(line)).join('\n')
}

/** The way of the web service into its database, as one goes it on this machine. */
export async function databaseUrl(appliance: TestAppliance, app: string): Promise<string> {
  const { web } = await appliance.pids()
  if (web === undefined) throw new Error(`web of ${app} does not run: ${await toldOf(appliance, app)}`)
  const variables = readFileSync(`/proc/${web}/environ`, 'utf8').split('\0')
  const found = variables.find((entry) => entry.startsWith('DATABASE_URL='))
  if (found === undefined) throw new Error(`web has no DATABASE_URL`)
  const url = new URL(found.slice('DATABASE_URL='.length))
  // A name of the network of containers is none here: the socket of the same server is.
  if (url.hostname === 'postgres') {
    url.hostname = 'localhost'
    url.searchParams.set('host', join(appliance.state, 'run/pg', app))
  }
  return url.href
}

/** What status says of an application, and the last that its web service has said. */
async function toldOf(appliance: TestAppliance, app: string): Promise<string> {
  const { apps, parts } = await appliance.json<{ apps: readonly { app: string }[]; parts: unknown }>('status')
  const logs = await appliance.run('logs', app, 'web', '--lines', '20')
  return JSON.stringify([apps.find((each) => each.app === app), parts, logs.stdout, logs.stderr])
}

async function filesFolder(appliance: TestAppliance): Promise<string> {
  const { storage } = await appliance.json<{ storage: { folder: string } }>('status')
  return join(storage.folder, 'units/guestbook/current/files/files')
}

async function hashesBelow(folder: string): Promise<Readonly<Record<string, string>>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  const hashes: Record<string, string> = {}
  for (const path of paths.toSorted())
    hashes[path.slice(folder.length + 1)] = createHash('sha256')
      .update(await readFile(path))
      .digest('hex')
  return hashes
}

/** Rows of the guestbook with the hash of their file on disk, wherever the release puts it. */
export async function foundIn(appliance: TestAppliance) {
  const url = await databaseUrl(appliance, 'guestbook')
  const files = await hashesBelow(await filesFolder(appliance))
  const byName = new Map(Object.entries(files).map(([path, hash]) => [path.split('/').at(-1), hash]))
  const hashOf = (id: unknown) => (typeof id === 'string' ? byName.get(id) : undefined)
  const numbers = await query(url, 'select n::float8 as n, id, sha256 from numbers order by n')
  const entries = await query(
    url,
    'select e.id::float8 as id, e.name, u.id as file, u.sha256 from entries e left join uploads u on u.entry_id = e.id order by e.id',
  )
  return {
    numbers: numbers.map(({ n, id, sha256 }) => ({
      n: n as number,
      sha256: sha256 as string,
      onDisk: hashOf(id),
    })),
    entries: entries.map(({ id, name, file, sha256 }) => ({
      id: id as number,
      name: name as string,
      sha256: (sha256 as string | null) ?? undefined,
      onDisk: hashOf(file),
    })),
  }
}
