import type { MaybeSecret } from '@caretaker/kernel/secrets.ts'

/** How to reach one database of one Postgres cluster over its unix socket. */
export interface DatabaseAddress {
  /** Folder of the unix socket, or a host name. */
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password: MaybeSecret
  readonly database: string
}

export interface DatabaseSession {
  /** Values go as parameters ($1 …), never into the text. */
  query<Row = Record<string, unknown>>(text: string, values?: readonly unknown[]): Promise<readonly Row[]>
}

export interface Databases {
  /**
   * Connects, runs `work`, disconnects.
   * @throws DatabaseError with the SQLSTATE when Postgres refuses, or its `connection` kind when nothing answers.
   */
  withSession<T>(
    address: DatabaseAddress,
    options: { readonly timeoutMs: number },
    work: (session: DatabaseSession) => Promise<T>,
  ): Promise<T>
}

/** What Postgres or the connection to it said. `sqlState` is undefined when nothing answered. */
export class DatabaseError extends Error {
  readonly sqlState: string | undefined
  constructor(message: string, sqlState: string | undefined, cause: unknown) {
    super(message, { cause })
    this.name = 'DatabaseError'
    this.sqlState = sqlState
  }
}

/** An SQL identifier in double quotes, for the few statements that take no parameters. */
export function quoteIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

/** An SQL string literal, for the few statements that take no parameters (ALTER ROLE … PASSWORD). */
export function quoteLiteral(text: string): string {
  const escaped = text.replaceAll("'", "''")
  return escaped.includes('\\') ? `E'${escaped.replaceAll('\\', '\\\\')}'` : `'${escaped}'`
}
