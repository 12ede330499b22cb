import type { MaybeSecret } from '@caretaker/kernel/secrets.ts'
import {
  type DatabaseAddress,
  DatabaseError,
  type DatabaseSession,
  type Databases,
  quoteIdentifier,
  quoteLiteral,
} from '@caretaker/ports/database.ts'
import { scramVerifier } from './scram.ts'

const LIMIT_MS = 10_000

/** What an application's role may not; it owns its database and no more. */
const ATTRIBUTES = 'LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS'

/** Postgres refuses the credentials: invalid_password, invalid_authorization_specification. */
const REFUSED = new Set(['28P01', '28000'])
const NO_SUCH_DATABASE = '3D000'

/**
 * Makes the role of the application log in with the password of `app`. A role that is there is tried first, so that
 * nothing changes when all is well; one that is not is not asked for, which would be a FATAL line in the log.
 * @returns whether something was changed
 */
export async function ensureRole(
  databases: Databases,
  superuser: DatabaseAddress,
  app: DatabaseAddress,
): Promise<boolean> {
  const isThere =
    (await asSuperuser(databases, superuser, (session) => findRole(session, app.user))).length > 0
  if (isThere && (await canLogIn(databases, app))) return false
  await rotatePassword(databases, superuser, app.user, app.password)
  return true
}

/** Gives the role a password, creating the role when there is none. Sessions that are open stay open. */
export async function rotatePassword(
  databases: Databases,
  superuser: DatabaseAddress,
  role: string,
  password: MaybeSecret,
): Promise<void> {
  const verifier = quoteLiteral(scramVerifier(password).reveal())
  await asSuperuser(databases, superuser, async (session) => {
    const found = await findRole(session, role)
    const verb = found.length === 0 ? 'CREATE' : 'ALTER'
    await session.query(`${verb} ROLE ${quoteIdentifier(role)} ${ATTRIBUTES} PASSWORD ${verifier}`)
  })
}

const findRole = (session: DatabaseSession, role: string) =>
  session.query('SELECT FROM pg_roles WHERE rolname = $1', [role])

export async function hasDatabase(
  databases: Databases,
  superuser: DatabaseAddress,
  database: string,
): Promise<boolean> {
  return asSuperuser(databases, superuser, async (session) => {
    const found = await session.query('SELECT FROM pg_database WHERE datname = $1 AND datallowconn', [
      database,
    ])
    return found.length === 1
  })
}

/** Creates an empty database that only its owner may enter; nothing when there is one. The role exists. */
export async function createDatabase(
  databases: Databases,
  superuser: DatabaseAddress,
  app: DatabaseAddress,
): Promise<void> {
  const name = quoteIdentifier(app.database)
  if (!(await hasDatabase(databases, superuser, app.database))) {
    await asSuperuser(databases, superuser, (session) =>
      session.query(`CREATE DATABASE ${name} OWNER ${quoteIdentifier(app.user)}`),
    )
  }
  await asSuperuser(databases, superuser, (session) =>
    session.query(`REVOKE ALL ON DATABASE ${name} FROM PUBLIC`),
  )
}

/** Writes what is in memory to disk, so that the stop or the snapshot that follows has less to do. */
export async function checkpoint(
  databases: Databases,
  superuser: DatabaseAddress,
  timeoutMs = 600_000,
): Promise<void> {
  await databases.withSession(superuser, { timeoutMs }, (session) => session.query('CHECKPOINT'))
}

/** False only when the server refuses the credentials; other errors are thrown. A missing database is no refusal. */
async function canLogIn(databases: Databases, address: DatabaseAddress): Promise<boolean> {
  try {
    await databases.withSession(address, { timeoutMs: LIMIT_MS }, (session) => session.query('SELECT 1'))
    return true
  } catch (error) {
    if (!(error instanceof DatabaseError) || error.sqlState === undefined) throw error
    if (REFUSED.has(error.sqlState)) return false
    if (error.sqlState === NO_SUCH_DATABASE) return true
    throw error
  }
}

function asSuperuser<T>(
  databases: Databases,
  superuser: DatabaseAddress,
  work: (session: DatabaseSession) => Promise<T>,
): Promise<T> {
  return databases.withSession(superuser, { timeoutMs: LIMIT_MS }, work)
}
