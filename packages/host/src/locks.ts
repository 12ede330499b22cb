import { access, chmod, constants, open } from 'node:fs/promises'
import { DatabaseSync } from 'node:sqlite'
import type { HeldLock, Locks } from '@caretaker/ports/lock.ts'
import { isErrno } from './errno.ts'
import { sayWhere } from './say-where.ts'

/** Primary result codes of SQLite, https://www.sqlite.org/rescode.html */
const SQLITE_BUSY = 5
const SQLITE_FULL = 13

/** Keeps what is locked from the garbage collector, which would close it. */
const held = new Set<DatabaseSync>()

/**
 * Locks of the operating system on a file, taken through SQLite: an open exclusive transaction of an empty database.
 * They end with the process, however it ends, and are not inherited by children. SQLite keeps its own handles of one
 * process apart, but nothing else may open a lock file: closing any other handle of it would drop the lock.
 */
export function createLocks(): Locks {
  return { tryAcquire: (path) => sayWhere(path, tryAcquire(path)) }
}

async function tryAcquire(path: string): Promise<HeldLock | undefined> {
  await refuseUnlessWritable(path)
  await makePrivate(path)
  try {
    const database = lockFile(path)
    return database && keep(database)
  } catch (error) {
    throw await asSystemError(error, path)
  }
}

function keep(database: DatabaseSync): HeldLock {
  held.add(database)
  return {
    release: async () => {
      if (held.delete(database)) database.close()
    },
  }
}

/** The journal in memory leaves no second file; no wait, because busy is an answer. */
function lockFile(path: string): DatabaseSync | undefined {
  const database = new DatabaseSync(path, { timeout: 0 })
  try {
    database.exec('PRAGMA journal_mode = MEMORY; PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE')
    return database
  } catch (error) {
    database.close()
    if (primaryCode(error) === SQLITE_BUSY) return undefined
    throw error
  }
}

/** SQLite would open a read-only file all the same, and then lock nothing. */
async function refuseUnlessWritable(path: string): Promise<void> {
  await access(path, constants.W_OK).catch((error: unknown) => {
    if (!isErrno(error, 'ENOENT')) throw error
  })
}

/** Who may only read a file can lock it as well, and would stop us for ever. */
async function makePrivate(path: string): Promise<void> {
  try {
    // Never opened when it is there: closing it would drop a lock of ours.
    await (await open(path, 'wx', 0o600)).close()
  } catch (error) {
    if (!isErrno(error, 'EEXIST')) throw error
    await chmod(path, 0o600).catch((refused: unknown) => {
      // It belongs to somebody else, who lets us write.
      if (!isErrno(refused, 'EPERM')) throw refused
    })
  }
}

function primaryCode(error: unknown): number | undefined {
  const code = error instanceof Error ? (error as { errcode?: unknown }).errcode : undefined
  return typeof code === 'number' ? code & 0xff : undefined
}

/** What the operating system says about creating the file, which SQLite hides behind "unable to open". */
async function asSystemError(error: unknown, path: string): Promise<unknown> {
  const code = primaryCode(error)
  if (code === undefined) return error
  if (code === SQLITE_FULL) {
    return Object.assign(new Error(`ENOSPC: no space left on device, lock '${path}'`, { cause: error }), {
      code: 'ENOSPC',
      path,
    })
  }
  try {
    await (await open(path, 'wx')).close()
    return error
  } catch (systemError) {
    return isErrno(systemError, 'EEXIST') ? error : systemError
  }
}
