import pg from 'pg'

const CONNECT_TIMEOUT_MS = 5_000

/** A pool that outlives restarts of Postgres: a broken connection is dropped and the next query opens a new one. */
export function openPool(url) {
  const pool = new pg.Pool({ connectionString: url, max: 10, connectionTimeoutMillis: CONNECT_TIMEOUT_MS })
  pool.on('error', (error) => console.error(`A database connection broke: ${error.message}`))
  return pool
}

/** One connection outside the pool, for listening and for migrations. Its errors must be listened to by the caller. */
export function newClient(url) {
  return new pg.Client({ connectionString: url, connectionTimeoutMillis: CONNECT_TIMEOUT_MS })
}

/** Runs `work(client)` in one transaction; what it returns is durable when this returns. */
export async function inTransaction(pool, work) {
  const client = await pool.connect()
  let broken
  const onError = (error) => {
    broken = error
  }
  client.on('error', onError)
  try {
    await client.query('begin')
    const result = await work(client)
    await client.query('commit')
    return result
  } catch (error) {
    await client.query('rollback').catch((cause) => {
      broken = cause
    })
    throw error
  } finally {
    client.off('error', onError)
    client.release(broken)
  }
}

/** True if the database itself refused, so that nothing was stored. False if the outcome is not known. */
export function wasRefused(error) {
  return error instanceof pg.DatabaseError && !/^(08|57|XX)/.test(error.code ?? '08')
}

/** True for a broken rule "only one of these". */
export function isDuplicate(error) {
  return error instanceof pg.DatabaseError && error.code === '23505'
}

/** True if the database could not be reached or went away, so that trying again later makes sense. */
export function isUnavailable(error) {
  if (error instanceof pg.DatabaseError) return /^(08|57P)/.test(error.code ?? '')
  if (['connect', 'read', 'write'].includes(error.syscall)) return true
  return /^(Connection terminated|timeout exceeded when trying to connect|Query read timeout)/.test(
    error.message,
  )
}
