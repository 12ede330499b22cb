import { countDays } from './src/daily-counts.mjs'
import { openPool } from './src/database.mjs'
import { settingsFrom } from './src/settings.mjs'

const INTERVAL_MS = 10_000
/** It ends after this many failures in a row; whoever runs it starts it again. */
const MAX_FAILURES = 6

const pool = openPool(settingsFrom(process.env).databaseUrl)
const stopped = new AbortController()
for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => stopped.abort())

let failures = 0
while (!stopped.signal.aborted && failures < MAX_FAILURES) {
  try {
    const days = await countDays(pool)
    if (failures > 0) console.log('the database answers again')
    failures = 0
    console.log(`counted the entries of ${days} days`)
  } catch (error) {
    failures += 1
    console.error(`not counted (${failures} of ${MAX_FAILURES}): ${error.message}`)
  }
  await pause(INTERVAL_MS)
}
await pool.end()
process.exitCode = stopped.signal.aborted ? 0 : 1

function pause(ms) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms)
    const wake = () => {
      clearTimeout(timer)
      resolve()
    }
    if (stopped.signal.aborted) wake()
    else stopped.signal.addEventListener('abort', wake, { once: true })
  })
}
