import { join } from 'node:path'
import type { ErrorCode } from '@caretaker/kernel/error-codes.ts'
import { AppError, toAppError } from '@caretaker/kernel/errors.ts'
import { formatDuration, SECOND_MS } from '@caretaker/kernel/time.ts'
import { waitUntil } from '@caretaker/ports/deadline.ts'
import { writeJsonDurably } from '@caretaker/ports/durable.ts'
import type { HeldLock } from '@caretaker/ports/lock.ts'
import type { Ports } from '@caretaker/ports/ports.ts'
import type { Actor } from './journal-records.ts'

/** Who holds the lock of a state folder, since when and what for. Told to whoever finds it taken. */
export interface LockHolder {
  readonly pid: number
  readonly user: string
  readonly via: string
  readonly since: string
  readonly purpose: string
  /** The command that ends it before it is done, where there is one. */
  readonly stop?: string
}

type LockPorts = Pick<Ports, 'files' | 'locks' | 'clock'>

const lockPath = (stateFolder: string) => join(stateFolder, 'operation.lock')
const UNWRITABLE: ReadonlySet<ErrorCode> = new Set(['DISK_FULL', 'READ_ONLY', 'NO_PERMISSION'])

/** More than the lock is held without a name: by who has just taken it or gives it back, and by a look at it. */
const NAMELESS_MS = 2 * SECOND_MS

const holderPath = (stateFolder: string) => join(stateFolder, 'operation.holder.json')

/**
 * Runs `work` while holding the one lock of this state folder. The operating system gives it back when the holder
 * dies, so the lock of a dead process or a dead boot is never in the way.
 * @throws AppError LOCKED (exit 11) with holder, age and purpose; not for who holds it without a name for a moment.
 */
export async function withOperationLock<T>(
  ports: LockPorts,
  stateFolder: string,
  claim: {
    readonly actor: Actor
    readonly purpose: string
    readonly pid: number
    /** {@link LockHolder.stop} */
    readonly stop?: string
  },
  work: (holder: LockHolder) => Promise<T>,
): Promise<T> {
  const held = await acquire(ports, stateFolder, claim.purpose)
  try {
    const holder: LockHolder = {
      pid: claim.pid,
      user: claim.actor.user,
      via: claim.actor.via,
      since: ports.clock.now().toISOString(),
      purpose: claim.purpose,
      ...(claim.stop === undefined ? {} : { stop: claim.stop }),
    }
    await writeJsonDurably(ports.files, holderPath(stateFolder), holder)
    return await work(holder)
  } finally {
    await forgetHolder(ports, stateFolder, held)
  }
}

/** The holder of the lock, when there is one right now. */
export async function findLockHolder(ports: LockPorts, stateFolder: string): Promise<LockHolder | undefined> {
  const holder = await readHolder(ports, stateFolder)
  // Trying the lock while nobody holds it could refuse somebody who wants it: only a named holder is put to the test.
  if (!holder) return undefined
  try {
    const free = await ports.locks.tryAcquire(lockPath(stateFolder))
    if (!free) return holder
    await forgetHolder(ports, stateFolder, free)
    return undefined
  } catch (error) {
    // Where nothing can be written the lock cannot be tried: then the process tells.
    if (!UNWRITABLE.has(toAppError(error).code)) throw error
    return (await ports.files.stat(`/proc/${holder.pid}`)) ? holder : undefined
  }
}

/** Gives the lock back; nobody is told the name of a holder that is gone. */
async function forgetHolder(ports: LockPorts, stateFolder: string, held: HeldLock): Promise<void> {
  try {
    await ports.files.remove(holderPath(stateFolder))
  } finally {
    await held.release()
  }
}

async function acquire(ports: LockPorts, stateFolder: string, purpose: string): Promise<HeldLock> {
  const limit = { timeoutMs: NAMELESS_MS }
  const found = await waitUntil(ports.clock, limit, async () => {
    const held = await ports.locks.tryAcquire(lockPath(stateFolder))
    if (held) return { held }
    const note = await ports.files.readText(holderPath(stateFolder))
    return note === undefined ? undefined : { holder: parseHolder(note) }
  })
  if (found?.held) return found.held
  const holder = found?.holder
  // Negative when the clock was set back since.
  const ageMs = holder ? ports.clock.now().getTime() - Date.parse(holder.since) : -1
  const age = ageMs < 0 ? 'an unknown time' : formatDuration(ageMs)
  throw new AppError('LOCKED', {
    what: `"${purpose}" was not begun`,
    why: holder
      ? `"${holder.purpose}" holds the lock for ${age}: process ${holder.pid}, started by ${holder.user} (${holder.via})`
      : 'another operation holds the lock',
    next:
      holder?.stop === undefined
        ? 'Wait for it ("caretaker operation list" shows it), then repeat the command'
        : `Wait for it, or end it: "${holder.stop}"; then repeat the command`,
  })
}

async function readHolder(ports: LockPorts, stateFolder: string): Promise<LockHolder | undefined> {
  const text = await ports.files.readText(holderPath(stateFolder))
  return text === undefined ? undefined : parseHolder(text)
}

function parseHolder(text: string): LockHolder | undefined {
  try {
    return JSON.parse(text) as LockHolder
  } catch {
    return undefined
  }
}
