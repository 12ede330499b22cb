import { AppError } from '@caretaker/kernel/errors.ts'
import { DatabaseError } from '@caretaker/ports/database.ts'

/** SQLSTATE disk_full. */
const DISK_FULL = '53100'
/** SQLSTATE insufficient_resources, as no free connection. */
const NO_ROOM = /^53/
/** SQLSTATE class of damaged data: data_corrupted, index_corrupted. */
const DAMAGED = /^XX00[12]$/
/** Connection exceptions, and a server on its way down or up: admin_shutdown, crash_shutdown, cannot_connect_now. */
const BROKEN = /^(08...|57P0[123])$/

/**
 * Does `work` in the database of an application; what the server says no to, or its end in the middle of a statement,
 * becomes an error for people. `what` says what was not done. Every statement of ours can be repeated, so that the next
 * `up` goes on where this one ended.
 * @throws AppError POSTGRES_UNREACHABLE, DISK_FULL, POSTGRES_DATA_DAMAGED, POSTGRES_REFUSED, or what `work` throws else
 */
export async function explaining<T>(app: string, what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof DatabaseError) throw explainDatabase(app, what, error)
    throw error
  }
}

/** What a database said, as an error for people; as {@link explaining}. */
export function explainDatabase(app: string, what: string, cause: DatabaseError): AppError {
  const { message, sqlState } = cause
  const log = `"caretaker logs ${app} postgres"`
  if (sqlState === undefined || BROKEN.test(sqlState)) {
    const why = `Postgres of ${app} does not answer or broke off: ${message}`
    const next = `"caretaker up" starts it again and goes on; ${log} tells why it ended`
    return new AppError('POSTGRES_UNREACHABLE', { what, why, next, cause })
  }
  const why = `Postgres of ${app} says: ${message} (SQLSTATE ${sqlState})`
  if (sqlState === DISK_FULL)
    return new AppError('DISK_FULL', { what, why, next: 'Free space, then "caretaker up"', cause })
  if (DAMAGED.test(sqlState)) {
    const next = `Look at the disk ("dmesg") and ${log}; then switch to a snapshot or recover from the backup`
    return new AppError('POSTGRES_DATA_DAMAGED', { what, why, next, cause })
  }
  const next = NO_ROOM.test(sqlState)
    ? 'Wait until fewer sessions are open, then "caretaker up"'
    : `Look at ${log}, correct what it complains about, then "caretaker up"`
  return new AppError('POSTGRES_REFUSED', { what, why, next, cause })
}
