import { join } from 'node:path'
import { AppError } from '@caretaker/kernel/errors.ts'
import { SECOND_MS } from '@caretaker/kernel/time.ts'
import { waitUntil } from '@caretaker/ports/deadline.ts'
import { writeJsonDurably } from '@caretaker/ports/durable.ts'
import type { Files } from '@caretaker/ports/files.ts'
import { createAuditLog } from '@caretaker/steps/audit.ts'
import { findLockHolder, type LockHolder, withOperationLock } from '@caretaker/steps/operation-lock.ts'
import type { StoppedBy } from '@caretaker/steps/run.ts'
import type { Appliance } from './appliance.ts'

/** Ends what {@link underStoppableLock} runs. */
const STOP = 'caretaker operation stop'
/** How soon a command begins to end after a person asked for it. */
const LOOK_FOR_STOP_MS = SECOND_MS / 2

/** Who holds the lock that a person wants back. */
type StopRequest = Pick<LockHolder, 'pid' | 'since'> & {
  /** Who wants it. */
  readonly user: string
}

const requestPath = (stateFolder: string) => join(stateFolder, 'operation.stop.json')

/**
 * Runs `work` under the lock of operations. What may take long ends before it is done when a person asks for that from
 * elsewhere, exactly as by Ctrl-C where it was begun: its signal fires.
 * @throws AppError LOCKED
 */
export async function underStoppableLock<T>(
  { ports, stateFolder, actor, pid }: Appliance,
  purpose: string,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  return withOperationLock(ports, stateFolder, { actor, purpose, pid, stop: STOP }, async (holder) => {
    const [stopped, ended] = [new AbortController(), new AbortController()]
    const watching = (async () => {
      while (!ended.signal.aborted && !stopped.signal.aborted) {
        const asked = await askedBy(ports.files, stateFolder, holder)
        if (asked) stopped.abort({ user: asked.user, command: STOP } satisfies StoppedBy)
        else await ports.clock.wait(LOOK_FOR_STOP_MS, ended.signal)
      }
    })()
    try {
      return await work(AbortSignal.any([signal, stopped.signal]))
    } finally {
      ended.abort()
      await watching
      if (stopped.signal.aborted) await ports.files.remove(requestPath(stateFolder))
    }
  })
}

/**
 * Ends the command that holds the lock, whoever began it, and waits until the lock is free: an update that has not come
 * to its commit is taken back, a rehearsal and a clone under way are removed.
 * @throws AppError OPERATION_NOT_RUNNING when nothing is under way, OPERATION_NOT_STOPPABLE naming what is, CANCELLED
 */
export async function stopOperation(
  { ports, stateFolder, actor }: Appliance,
  signal: AbortSignal,
): Promise<LockHolder> {
  const holder = await findLockHolder(ports, stateFolder)
  if (!holder) throw notRunning()
  if (holder.stop !== STOP) throw notStoppable(holder)
  const startedMs = ports.clock.monotonicMs()
  const request: StopRequest = { pid: holder.pid, since: holder.since, user: actor.user }
  await writeJsonDurably(ports.files, requestPath(stateFolder), request)
  const isOver = async () => {
    const present = await findLockHolder(ports, stateFolder)
    return present?.since !== holder.since || present.pid !== holder.pid ? true : undefined
  }
  // It has limits of its own, the way back of an update too; who waits here may stop waiting.
  const limit = { timeoutMs: Number.POSITIVE_INFINITY, signal }
  const ended = await waitUntil(ports.clock, limit, isOver)
  await createAuditLog(ports.files, stateFolder).write({
    at: ports.clock.now().toISOString(),
    user: actor.user,
    via: actor.via,
    operation: '-',
    purpose: `stop "${holder.purpose}"`,
    step: '-',
    result: ended ? 'done' : 'failed',
    duration_ms: Math.round(ports.clock.monotonicMs() - startedMs),
    ...(ended ? {} : { error: 'CANCELLED' }),
  })
  if (ended) return holder
  throw new AppError('CANCELLED', {
    what: `Nobody waits for the end of "${holder.purpose}" any more`,
    why: 'a person asked for it',
    next: 'It is still asked to end: "caretaker operation list" tells when it has',
  })
}

/** A damaged request is none: it is a wish, which can be said again. */
async function askedBy(
  files: Pick<Files, 'readText'>,
  stateFolder: string,
  { pid, since }: LockHolder,
): Promise<StopRequest | undefined> {
  try {
    const text = await files.readText(requestPath(stateFolder))
    const request = text === undefined ? undefined : (JSON.parse(text) as StopRequest)
    return request?.pid === pid && request.since === since ? request : undefined
  } catch {
    return undefined
  }
}

function notRunning(): AppError {
  return new AppError('OPERATION_NOT_RUNNING', {
    what: 'Nothing was stopped',
    why: 'no command holds the lock: nothing is under way',
    next: '"caretaker operation list" tells what was done last',
  })
}

function notStoppable({ purpose, stop }: LockHolder): AppError {
  return new AppError('OPERATION_NOT_STOPPABLE', {
    what: `"${purpose}" goes on`,
    why:
      stop === undefined
        ? 'it ends by itself, and is not stopped half-way'
        : 'it is ended by a command of its own',
    next: stop === undefined ? 'Wait for it: "caretaker operation list" shows it' : stop,
  })
}
