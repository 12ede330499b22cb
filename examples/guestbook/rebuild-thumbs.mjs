import { openCards } from './src/cards.mjs'
import { openPool } from './src/database.mjs'
import { entriesAfter } from './src/entries.mjs'
import { settingsFrom } from './src/settings.mjs'

const BATCH = 500

const settings = settingsFrom(process.env)
const pool = openPool(settings.databaseUrl)
const cards = openCards(settings.cardsFolder)
let made = 0
for (let entries = await entriesAfter(pool, 0, BATCH); entries.length > 0; ) {
  for (const entry of entries) await cards.make(entry)
  made += entries.length
  entries = await entriesAfter(pool, entries.at(-1).id, BATCH)
}
console.log(`made ${made} cards`)
await pool.end()
