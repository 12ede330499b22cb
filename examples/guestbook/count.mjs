import { openPool } from './src/database.mjs'
import { summary } from './src/entries.mjs'
import { settingsFrom } from './src/settings.mjs'

const pool = openPool(settingsFrom(process.env).databaseUrl)
const { entries, uploads, numbers } = await summary(pool)
console.log(JSON.stringify({ entries, uploads, numbers }))
await pool.end()
