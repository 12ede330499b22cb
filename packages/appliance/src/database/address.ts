import { deriveSecret, type MaybeSecret, type Secret } from '@caretaker/kernel/secrets.ts'
import type { DatabaseAddress } from '@caretaker/ports/database.ts'
import { type Cluster, PORT, SUPERUSER } from './cluster.ts'

/** Our own way into a cluster; `database` is one that always exists unless given. */
export function superuserAddress(
  cluster: Pick<Cluster, 'runFolder'>,
  password: MaybeSecret,
  database = 'postgres',
): DatabaseAddress {
  return { host: cluster.runFolder, port: PORT, user: SUPERUSER, password, database }
}

/** The application's way into its own database: role and database carry its name, in a clone the one of its origin. */
export function appAddress(
  { runFolder, app, role = app }: Pick<Cluster, 'runFolder' | 'app' | 'role'>,
  password: MaybeSecret,
): DatabaseAddress {
  return { host: runFolder, port: PORT, user: role, password, database: role }
}

/**
 * The address as a libpq URI for `DATABASE_URL`. The socket folder is the `host` parameter, which libpq and the
 * drivers built on it or like it let win over the `localhost` that plain URL parsers insist on.
 */
export function databaseUrl(address: DatabaseAddress): Secret {
  const { user, database, host, port } = address
  const socket = host.startsWith('/')
  return deriveSecret('database-url', address.password, (password) => {
    const credentials = `${encodeURIComponent(user)}:${encodeURIComponent(password)}`
    const place = `${socket ? 'localhost' : host}:${port}/${encodeURIComponent(database)}`
    return `postgresql://${credentials}@${place}${socket ? `?host=${encodeURIComponent(host)}` : ''}`
  })
}
