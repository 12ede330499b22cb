import { createGatewayClient } from '@caretaker/appliance/gateway/client.ts'
import { gatewayPaths } from '@caretaker/appliance/gateway/gateway.ts'
import { SECOND_MS } from '@caretaker/kernel/time.ts'
import { waitUntil } from '@caretaker/ports/deadline.ts'
import type { Ports } from '@caretaker/ports/ports.ts'
import type { Call } from '../cli/definition.ts'
import { findDaemon } from './client.ts'
import type { DaemonOptions } from './daemon.ts'
import type { Keeper } from './keeper.ts'

/** What watches over the daemon: systemd, or a test in its place. */
export interface ServiceWatcher {
  /** Longest silence it takes, in ms; undefined: it does not mind. */
  readonly watchdogMs: number | undefined
  /** Tells assignments as sd_notify(3) has them. A message that is lost is no reason to stop. */
  tell(...assignments: readonly string[]): Promise<void>
  /** Takes a line of the log. */
  readonly print: (line: string) => void
}

const TELL_LIMIT_MS = 5 * SECOND_MS
/** Between two looks whether something is shown to visitors. */
const LOOK_EVERY_MS = 50
/** Without a watchdog a start that takes its time still has to say that it goes on. */
const DEFAULT_BEAT_MS = 20 * SECOND_MS

/**
 * systemd, when it started this process. Node has no datagram sockets of the unix family; systemd-notify speaks for its
 * parent as long as that is root, so the unit needs to listen to its main process only.
 */
export function watcherOf({ ports, supervision, output }: Call): ServiceWatcher | undefined {
  if (!supervision) return undefined
  const { notifySocket, watchdogMs } = supervision
  return {
    watchdogMs,
    async tell(...assignments) {
      const env = { PATH: '/usr/bin:/bin', NOTIFY_SOCKET: notifySocket }
      await ports.processes
        .run({ file: 'systemd-notify', args: assignments, env, timeoutMs: TELL_LIMIT_MS })
        .catch(() => undefined)
    },
    print: (line) => output(line, 'stdout'),
  }
}

/**
 * Tells the watcher that the daemon is ready once visitors are shown something, and then again and again that it lives:
 * only after the daemon has answered on its own socket. Disposing it says that the daemon stops.
 */
export function watchOver(options: DaemonOptions, keeper: Keeper, run: string): AsyncDisposable {
  const { watcher, around } = options
  const stopped = new AbortController()
  const watching = watcher
    ? watch(watcher, around.ports, keeper, run, around.stateFolder, stopped.signal)
    : undefined
  options.signal.addEventListener('abort', () => void watcher?.tell('STOPPING=1', 'STATUS=Stopping'))
  return {
    async [Symbol.asyncDispose]() {
      stopped.abort()
      await watching
    },
  }
}

async function watch(
  watcher: ServiceWatcher,
  ports: Ports,
  keeper: Keeper,
  run: string,
  stateFolder: string,
  signal: AbortSignal,
): Promise<void> {
  // Two signs of life may be late before the watchdog bites.
  const everyMs = watcher.watchdogMs ? watcher.watchdogMs / 3 : DEFAULT_BEAT_MS
  let isReady = false
  const gateway = createGatewayClient(ports, gatewayPaths(stateFolder, run))
  while (!signal.aborted) {
    const lives = (await findDaemon(ports, run)) !== undefined
    if (lives && isReady && watcher.watchdogMs) await watcher.tell('WATCHDOG=1')
    // A start that has to finish an interrupted operation first may take long.
    if (lives && !isReady) await watcher.tell(`EXTEND_TIMEOUT_USEC=${Math.round(everyMs * 6000)}`)
    if (isReady) {
      await ports.clock.wait(everyMs, signal)
      continue
    }
    const limit = { timeoutMs: everyMs, intervalMs: LOOK_EVERY_MS, signal }
    const shown = await waitUntil(ports.clock, limit, async () => {
      const listens = (await gateway.status().catch(() => undefined))?.https !== undefined
      return listens || keeper.hasTurned ? true : undefined
    }).catch(() => undefined)
    if (shown) {
      isReady = true
      await watcher.tell('READY=1', 'STATUS=Looking after the appliance; "caretaker status" says how it is')
    }
  }
}
