import { openPool } from './src/database.mjs'
import { settingsFrom } from './src/settings.mjs'
import { openStore } from './src/store.mjs'

/** A file without a row is left alone this long: its entry may be about to be committed. */
const ONE_DAY_MS = 24 * 3600 * 1000

const settings = settingsFrom(process.env)
const pool = openPool(settings.databaseUrl)
const removed = await openStore(settings.filesFolder).tidy(new Date(Date.now() - ONE_DAY_MS), async (id) => {
  const { rows } = await pool.query(
    `select exists (select 1 from uploads where id::text = $1) or exists (select 1 from numbers where id::text = $1) as known`,
    [id],
  )
  return rows[0].known
})
console.log(`removed ${removed} files that belong to no entry`)
await pool.end()
