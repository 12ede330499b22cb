import type { ChildProcess } from 'node:child_process'
import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { setTimeout as wait } from 'node:timers/promises'
import { AppError } from '@caretaker/kernel/errors.ts'
import type { DetachedCommand, ProcessExit, ProcessIdentity } from '@caretaker/ports/process.ts'
import { unlessErrno } from './errno.ts'
import { hasBecomeProgram } from './marks.ts'
import { isIdentityAlive, listPids, readBootId, readStat } from './proc.ts'
import { sayWhere } from './say-where.ts'
import { spawnCommand } from './spawn.ts'

const LOG_MODE = 0o640
/** Between two looks at a process that is not our child. */
const FIRST_POLL_MS = 20
const LONGEST_POLL_MS = 500
/** Between two looks whether a program has started its child. */
const FORK_POLL_MS = 3
/** Exits of own children that nobody has asked for yet; older ones are forgotten. */
const REMEMBERED = 1000

interface OwnChild {
  readonly child: ChildProcess
  readonly exit: Promise<ProcessExit>
  waiting: number
}

/** Starts processes that outlive this one, and knows how those ended that it started itself. */
export class DetachedProcesses {
  readonly #own = new Map<string, OwnChild>()

  async start(command: DetachedCommand): Promise<ProcessIdentity> {
    await using log = await sayWhere(command.logFile, openLog(command.logFile))
    let spawned: { child: ChildProcess; identity: ProcessIdentity } | undefined
    await spawnCommand(command, ['ignore', log.fd, log.fd], (child, pid) => {
      // Its end is collected by a later turn of the event loop, so /proc still knows it, as a zombie at least.
      const startTicks = readStat(pid)?.startTicks
      if (startTicks === undefined) throw new Error(`process ${pid} is not in /proc`)
      spawned = { child, identity: { pid, startTicks, bootId: readBootId() } }
    })
    if (!spawned) throw new Error('spawned without a process')
    await hasBecomeProgram(spawned.identity)
    const identity = (command.forks ? await onlyChild(spawned.child) : undefined) ?? spawned.identity
    this.#remember(identity, spawned.child)
    return identity
  }

  /**
   * How and when a process ends. Own children keep this process running only while somebody waits for them.
   * @throws AppError CANCELLED when `signal` fires first.
   */
  async waitForExit(identity: ProcessIdentity, signal?: AbortSignal): Promise<ProcessExit> {
    const own = this.#own.get(keyOf(identity))
    if (!own) return pollUntilGone(identity, signal)
    if (own.waiting++ === 0) own.child.ref()
    try {
      return await orCancelled(own.exit, identity, signal)
    } finally {
      if (--own.waiting === 0) own.child.unref()
    }
  }

  #remember(identity: ProcessIdentity, child: ChildProcess): void {
    const exit = new Promise<ProcessExit>((resolve) => {
      const end = () =>
        resolve({ exitCode: child.exitCode ?? undefined, signal: child.signalCode ?? undefined })
      if (hasEnded(child)) end()
      else child.once('exit', end)
    })
    child.unref()
    this.#own.set(keyOf(identity), { child, exit, waiting: 0 })
    for (const [key, entry] of this.#own) {
      if (this.#own.size <= REMEMBERED) break
      if (hasEnded(entry.child)) this.#own.delete(key)
    }
  }
}

const hasEnded = (child: ChildProcess): boolean => child.exitCode !== null || child.signalCode !== null

/** The child of a program that has one; undefined when it ended without. */
async function onlyChild(program: ChildProcess): Promise<ProcessIdentity | undefined> {
  for (; !hasEnded(program); await wait(FORK_POLL_MS)) {
    const stats = (await listPids()).map(readStat)
    const child = stats.find((stat) => stat?.parentPid === program.pid)
    if (child) return { pid: child.pid, startTicks: child.startTicks, bootId: readBootId() }
  }
  return undefined
}

function keyOf(identity: ProcessIdentity): string {
  return `${identity.bootId}/${identity.pid}/${identity.startTicks}`
}

/** Opens for appending; never through a link, because the folder may belong to the user the process runs as. */
async function openLog(path: string): Promise<FileHandle> {
  const flags = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW
  const created = await unlessErrno(open(path, flags | constants.O_EXCL, LOG_MODE), ['EEXIST'], undefined)
  if (!created) return open(path, flags, LOG_MODE)
  await created.chmod(LOG_MODE)
  return created
}

async function pollUntilGone(identity: ProcessIdentity, signal?: AbortSignal): Promise<ProcessExit> {
  for (
    let pauseMs = FIRST_POLL_MS;
    isIdentityAlive(identity);
    pauseMs = Math.min(pauseMs * 1.5, LONGEST_POLL_MS)
  ) {
    if (signal?.aborted) throw cancelled(identity)
    await wait(pauseMs, undefined, signal ? { signal } : {}).catch(() => undefined)
  }
  return { exitCode: undefined, signal: undefined }
}

function orCancelled<T>(work: Promise<T>, identity: ProcessIdentity, signal?: AbortSignal): Promise<T> {
  if (!signal) return work
  if (signal.aborted) return Promise.reject(cancelled(identity))
  return new Promise<T>((resolve, reject) => {
    const onAbort = (): void => reject(cancelled(identity))
    signal.addEventListener('abort', onAbort, { once: true })
    void work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
}

function cancelled(identity: ProcessIdentity): AppError {
  return new AppError('CANCELLED', {
    what: `The end of process ${identity.pid} was not waited for`,
    why: 'the operation that waited was cancelled',
    next: 'Run "caretaker operation list", then resume or undo the operation',
  })
}
