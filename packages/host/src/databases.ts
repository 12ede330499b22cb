import { reveal } from '@caretaker/kernel/secrets.ts'
import { DatabaseError, type Databases } from '@caretaker/ports/database.ts'
import type { Client } from 'pg'

/** Postgres ends a statement itself at the limit; we stop waiting this much later, for a server that hangs. */
const ANSWER_GRACE_MS = 1000
/** How long an orderly goodbye may take. */
const GOODBYE_MS = 1000

/**
 * Sessions on Postgres servers. `timeoutMs` limits the connecting and each statement by itself; a statement over it
 * ends with SQLSTATE 57014. Numbers beyond JavaScript's come as text. The driver is loaded at the first use.
 */
export function createDatabases(): Databases {
  return {
    withSession: async (address, { timeoutMs }, work) => {
      const { Client, DatabaseError: PostgresError } = await import('pg')
      const translate = (error: unknown): never => {
        const sqlState = error instanceof PostgresError ? error.code : undefined
        throw new DatabaseError(messageOf(error), sqlState, error)
      }
      const client = new Client({
        host: address.host,
        port: address.port,
        user: address.user,
        password: reveal(address.password),
        database: address.database,
        // Whatever the PG… variables of our environment say.
        ssl: false,
        application_name: 'caretaker',
        connectionTimeoutMillis: timeoutMs,
        statement_timeout: timeoutMs,
        query_timeout: timeoutMs + ANSWER_GRACE_MS,
      })
      // A connection that breaks between two statements is told by the next one.
      client.on('error', () => undefined)
      try {
        await client.connect().catch(translate)
        return await work({
          query: async (text, values = []) => {
            const result = await client.query(text, [...values]).catch(translate)
            return result.rows
          },
        })
      } finally {
        await end(client)
      }
    },
  }
}

/** Several addresses of one host name fail together, with an empty message. */
function messageOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(messageOf).join(', ')
  return error instanceof Error ? error.message : String(error)
}

async function end(client: Client): Promise<void> {
  const goodbye = Promise.withResolvers<void>()
  const timer = setTimeout(goodbye.resolve, GOODBYE_MS)
  client.end().then(goodbye.resolve, goodbye.resolve)
  await goodbye.promise
  clearTimeout(timer)
  ;(client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy()
}
