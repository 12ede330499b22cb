import { newClient } from './database.mjs'
import { CHANNEL, entriesAfter } from './entries.mjs'

const HEARTBEAT_MS = 15_000
const RECONNECT_MS = 500
const BATCH = 100
/** A reader that leaves this much unread is cut off; it comes back with its last id. */
const MAX_UNREAD_BYTES = 1_000_000

/**
 * Sends every new entry to every open reader, in the order of ids and each once, whichever process stored it.
 * Announcements come by LISTEN; after a lost database connection what was missed is read from the table.
 */
export function openLive(pool, databaseUrl) {
  const readers = new Set()
  let listener
  let stopped = false
  let position
  let pumping = Promise.resolve()
  let retry

  function send(reader, entry) {
    if (entry.id <= reader.sent) return
    reader.sent = entry.id
    const { author: _author, ...shown } = entry
    reader.response.write(`id: ${entry.id}\nevent: entry\ndata: ${JSON.stringify(shown)}\n\n`)
    if (reader.response.writableLength > MAX_UNREAD_BYTES) reader.response.destroy()
  }

  async function readAll(after, each) {
    for (let last = after; ; ) {
      const entries = await entriesAfter(pool, last, BATCH)
      for (const entry of entries) each(entry)
      if (entries.length < BATCH) return
      last = entries.at(-1).id
    }
  }

  function pump() {
    pumping = pumping
      .then(async () => {
        if (stopped) return
        if (position === undefined) begin(await newestId())
        await readAll(position, (entry) => {
          position = entry.id
          for (const reader of readers) if (!reader.catchingUp) send(reader, entry)
        })
      })
      .catch((error) => console.error(`Live entries wait for the database: ${error.message}`))
    return pumping
  }

  /** Where reading starts is set once, so that no entry lies between a reader's first and the first that is told. */
  function begin(newest) {
    position ??= newest
  }

  async function newestId() {
    const { rows } = await pool.query('select coalesce(max(id), 0)::float8 as id from entries')
    return rows[0].id
  }

  async function listen() {
    if (stopped) return
    const client = newClient(databaseUrl)
    listener = client
    let ended = false
    const again = () => {
      if (ended) return
      ended = true
      client.end().catch(() => undefined)
      if (!stopped) retry = setTimeout(() => void listen(), RECONNECT_MS)
    }
    client.on('error', again)
    client.on('end', again)
    client.on('notification', pump)
    try {
      await client.connect()
      await client.query(`listen ${CHANNEL}`)
      await pump()
    } catch {
      again()
    }
  }

  const heartbeat = setInterval(() => {
    for (const { response } of readers) response.write(': still here\n\n')
    if (readers.size > 0) void pump()
  }, HEARTBEAT_MS)
  void listen()

  return {
    /** Serves one reader until it leaves. `after`: the last id it has, or undefined to begin with what comes next. */
    async serve(response, after) {
      const newest = await newestId()
      begin(newest)
      // An id from before a restore may be above all that is here.
      const reader = { response, sent: Math.min(after ?? newest, newest), catchingUp: true }
      response.on('close', () => readers.delete(reader))
      response.writeHead(200, {
        'content-type': 'text/event-stream',
        'cache-control': 'no-store',
        'x-accel-buffering': 'no',
      })
      response.write('retry: 2000\n\n')
      if (stopped) return void response.end()
      readers.add(reader)
      try {
        for (let seen; reader.catchingUp; reader.catchingUp = position !== seen) {
          seen = position
          await readAll(reader.sent, (entry) => send(reader, entry))
        }
      } catch (error) {
        console.error(`A live reader was cut off: ${error.message}`)
        response.destroy()
      }
    },
    async stop() {
      stopped = true
      clearInterval(heartbeat)
      clearTimeout(retry)
      for (const { response } of readers) response.end()
      await listener?.end().catch(() => undefined)
      await pumping
    },
  }
}
