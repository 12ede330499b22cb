import { join } from 'node:path'
import type { Surrounding } from '@caretaker/appliance/lifecycle/appliance.ts'
import { runFolder } from '@caretaker/appliance/lifecycle/folders.ts'
import { assertOwnFolder } from '@caretaker/appliance/lifecycle/own-folder.ts'
import { stopEverything } from '@caretaker/appliance/lifecycle/stop-everything.ts'
import { AppError, toAppError } from '@caretaker/kernel/errors.ts'
import type { ExitCode } from '@caretaker/kernel/exit-codes.ts'
import { withBallast } from '@caretaker/ports/with-ballast.ts'
import { DAEMON_STOPS } from '@caretaker/steps/runner.ts'
import type { Places } from '../cli/definition.ts'
import { serveApi } from './api.ts'
import { createDaemonLog } from './daemon-log.ts'
import { Keeper } from './keeper.ts'
import { servePage } from './page-server.ts'
import { type ServiceWatcher, watchOver } from './watch-over.ts'

export interface DaemonOptions {
  readonly around: Surrounding
  readonly configFile: string | undefined
  readonly places: Places
  /** Loopback port of the state page; 0 lets the system choose. */
  readonly pagePort: number
  /** The daemon ends alone: what it started goes on, for the next daemon to find. */
  readonly leaveRunning?: boolean
  /** What watches over this process and is told how it is; undefined when nothing does. */
  readonly watcher?: ServiceWatcher | undefined
  /** Fires when the daemon shall end. */
  readonly signal: AbortSignal
}

/**
 * Runs until `signal` fires: answers the command line first, then brings the appliance up and keeps it up.
 * @throws AppError STATE_IN_USE when a daemon runs on this state folder
 */
export async function runDaemon(wanted: DaemonOptions): Promise<ExitCode> {
  const options = { ...wanted, signal: stopsOn(wanted.signal) }
  const { around, signal } = options
  const { ports, stateFolder } = around
  const run = runFolder(stateFolder, ports.machine.user().uid)
  await ports.files.makeFolder(stateFolder, 0o711)
  await ports.files.makeFolder(run, 0o711)
  await assertOwnFolder(ports, run)
  const only = await withBallast(ports, stateFolder, 'half').locks.tryAcquire(
    join(stateFolder, 'daemon.lock'),
  )
  if (!only) throw inUse(stateFolder)
  const log = createDaemonLog(
    ports,
    join(stateFolder, 'logs', 'appliance', 'daemon.log'),
    options.watcher?.print,
  )
  // What it does by itself must not use up what a person needs on a full disk; its log does without.
  const tended = { ...around, ports: withBallast(ports, stateFolder, 'half') }
  const keeper = new Keeper({ ...options, around: tended }, log)
  await using page = await servePage(options, keeper)
  await using _api = await serveApi(run, options, keeper, page, log)
  await log.info('daemon started', { pid: around.pid, version: around.programs.version })
  await using _watch = watchOver(options, keeper, run)
  await keeper.run(signal)
  // Commands of others were told to stop with us; they end after the step under way.
  await keeper.idle()
  try {
    if (!options.leaveRunning) await stopEverything(tended, options.configFile, keeper.opened?.appliance)
    await log.info('daemon stopped', {})
    return 0
  } catch (error) {
    const reported = toAppError(error)
    await log.error('daemon stopped, but not everything else', reported.toReport())
    return reported.exitCode
  } finally {
    await only.release()
  }
}

/** Whoever ends the daemon does not cancel what it is at: the next one goes on with it. */
function stopsOn(signal: AbortSignal): AbortSignal {
  const stopping = new AbortController()
  const stop = () => stopping.abort(DAEMON_STOPS)
  if (signal.aborted) stop()
  else signal.addEventListener('abort', stop, { once: true })
  return stopping.signal
}

function inUse(stateFolder: string): AppError {
  return new AppError('STATE_IN_USE', {
    what: 'The daemon was not started',
    why: `another daemon runs on ${stateFolder}`,
    next: '"caretaker status" shows it; stop it before you start another',
  })
}
