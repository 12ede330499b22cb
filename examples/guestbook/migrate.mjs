import { readFile } from 'node:fs/promises'
import { newClient } from './src/database.mjs'
import { appliedMigrations, compareMigrations, releaseMigrations } from './src/migrations.mjs'
import { settingsFrom } from './src/settings.mjs'

/** Exit code of `--check` when there is something to migrate. */
const PENDING = 10
/** Any fixed number: two runs at once wait for each other at this advisory lock. */
const LOCK = 7_214_001

const settings = settingsFrom(process.env)
const client = newClient(settings.databaseUrl)
client.on('error', (error) => console.error(`The database connection broke: ${error.message}`))
try {
  await client.connect()
  process.exitCode = process.argv.includes('--check') ? await check() : await run()
} catch (error) {
  console.error(`Not migrated: ${error.message}${error.detail ? ` (${error.detail})` : ''}`)
  process.exitCode = 1
} finally {
  await client.end().catch(() => undefined)
}

async function compare() {
  const found = compareMigrations(await releaseMigrations(), await appliedMigrations(client))
  if (found.problem) throw new Error(found.problem)
  return found.pending
}

async function check() {
  const pending = await compare()
  for (const each of pending) console.log(`pending ${each.name}`)
  if (pending.length === 0) console.log('nothing to migrate')
  return pending.length === 0 ? 0 : PENDING
}

async function run() {
  await client.query('select pg_advisory_lock($1)', [LOCK])
  await client.query(
    `create table if not exists schema_migrations (
       name text primary key, sha256 text not null, applied_at timestamptz not null default now())`,
  )
  for (const migration of await compare()) {
    const started = Date.now()
    await client.query('begin')
    try {
      await apply(migration)
      await client.query('insert into schema_migrations (name, sha256) values ($1, $2)', [
        migration.name,
        migration.sha256,
      ])
      await client.query('commit')
    } catch (error) {
      await client.query('rollback').catch(() => undefined)
      error.message = `${migration.name}: ${error.message}`
      throw error
    }
    console.log(`applied ${migration.name} in ${Date.now() - started} ms`)
  }
  console.log('the database has the schema of this release')
  return 0
}

async function apply(migration) {
  if (migration.name.endsWith('.sql')) return client.query(await readFile(migration.url, 'utf8'))
  const { up } = await import(migration.url.href)
  return up(client, settings.filesFolder)
}
