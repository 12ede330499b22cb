import { apiSocket } from '@caretaker/appliance/lifecycle/folders.ts'
import { isPlanted } from '@caretaker/appliance/lifecycle/own-folder.ts'
import { streamLines } from '@caretaker/host/stream-lines.ts'
import { AppError, type ErrorReport } from '@caretaker/kernel/errors.ts'
import type { ExitCode } from '@caretaker/kernel/exit-codes.ts'
import type { Ports } from '@caretaker/ports/ports.ts'
import type { OutputStream } from '@caretaker/ports/process.ts'
import type { OperationEvent } from '@caretaker/steps/events.ts'
import type { Call } from '../cli/definition.ts'

export interface DaemonInfo {
  readonly pid: number
  readonly version: string
  readonly started_at: string
  /** The config file it was told to follow; null: the usual places. */
  readonly config_file: string | null
}

/** The daemon of this run folder, when one answers. A socket that somebody else may have put there is not asked. */
export async function findDaemon(
  ports: Pick<Ports, 'network' | 'files' | 'machine'>,
  run: string,
): Promise<DaemonInfo | undefined> {
  const socketPath = apiSocket(run)
  if (!(await ports.files.stat(socketPath)) || (await isPlanted(ports, run))) return undefined
  try {
    const response = await ports.network.request({
      url: 'http://caretaker/v1/daemon',
      socketPath,
      timeoutMs: 2000,
    })
    return response.status === 200 ? (JSON.parse(response.body) as DaemonInfo) : undefined
  } catch {
    return undefined
  }
}

/** What a command sent to the daemon is. */
export interface RemoteCall {
  readonly arguments: readonly string[]
  readonly options: Readonly<Record<string, unknown>>
  readonly user: string
  readonly working_folder: string
}

/** One line of the answer of the daemon to a command. */
export type RemoteLine =
  | { readonly type: 'event'; readonly event: OperationEvent }
  | { readonly type: 'output'; readonly line: string; readonly from: OutputStream }
  | { readonly type: 'answer'; readonly data: unknown; readonly exit_code: ExitCode }
  | { readonly type: 'error'; readonly error: ErrorReport }

/**
 * Has the daemon run a command; its events and output are passed on as they come. When `signal` fires the connection is
 * closed, which cancels the operation.
 * @throws AppError what the command threw; DAEMON_LOST when the daemon went away meanwhile
 */
export async function runRemotely(
  run: string,
  name: string,
  call: RemoteCall,
  { emit, output, signal }: Pick<Call, 'emit' | 'output' | 'signal'>,
): Promise<{ readonly data: unknown; readonly exitCode: ExitCode }> {
  const path = `/v1/commands/${encodeURIComponent(name)}`
  try {
    for await (const line of streamLines({
      socketPath: apiSocket(run),
      path,
      body: JSON.stringify(call),
      signal,
    })) {
      const message = JSON.parse(line) as RemoteLine
      if (message.type === 'event') emit(message.event)
      if (message.type === 'output') output(message.line, message.from)
      if (message.type === 'error') throw AppError.fromReport(message.error)
      if (message.type === 'answer') return { data: message.data, exitCode: message.exit_code }
    }
  } catch (error) {
    if (error instanceof AppError) throw error
    throw connectionEnded(name, signal.aborted, error)
  }
  throw connectionEnded(name, signal.aborted, undefined)
}

/** Commands that an interruption takes back, whatever step is under way. */
const TAKEN_BACK: ReadonlySet<string> = new Set(['app update', 'app rollback'])

/** What it means for a command that the daemon gave no answer: a person has cancelled it, or the daemon has ended. Pure. */
export function connectionEnded(name: string, cancelled: boolean, cause: unknown): AppError {
  const isTakenBack = TAKEN_BACK.has(name)
  if (cancelled) {
    if (name === 'app rehearse')
      return new AppError('CANCELLED', {
        what: 'The command was cancelled',
        why: 'a person asked for it; the daemon removes the clone of the rehearsal now, and the application goes on as before',
        next: '"caretaker operation list" shows when it is undone; repeat the command to begin anew',
      })
    return new AppError('CANCELLED', {
      what: 'The command was cancelled',
      why: isTakenBack
        ? 'a person asked for it; the daemon takes the change back now, and the release before serves again'
        : 'a person asked for it; the daemon stops after the step under way',
      next: isTakenBack
        ? '"caretaker operation list" shows when it is undone, "caretaker status" what serves'
        : '"caretaker operation list" shows the operation, "caretaker operation resume ID" goes on',
    })
  }
  return new AppError('DAEMON_LOST', {
    what: 'The daemon did not finish the command',
    why: 'the connection to it ended before its answer',
    next: isTakenBack
      ? 'The next daemon, or "caretaker up", takes the change back unless it was committed; then "caretaker status" and "caretaker logs daemon"'
      : 'Look at "caretaker logs daemon" and "caretaker status"; an interrupted operation is finished at its next start',
    cause,
  })
}

/** A link to the state page that opens it once. @throws AppError DAEMON_UNREACHABLE */
export async function pageLink(ports: Pick<Ports, 'network'>, run: string): Promise<string> {
  try {
    const response = await ports.network.request({
      method: 'POST',
      url: 'http://caretaker/v1/page-link',
      socketPath: apiSocket(run),
      timeoutMs: 2000,
    })
    return (JSON.parse(response.body) as { url: string }).url
  } catch (cause) {
    throw new AppError('DAEMON_UNREACHABLE', {
      what: 'There is no state page',
      why: 'no daemon answers on this state folder',
      next: 'Start it with "npm start" or "caretaker daemon"; "caretaker status" says the same in the terminal',
      cause,
    })
  }
}
