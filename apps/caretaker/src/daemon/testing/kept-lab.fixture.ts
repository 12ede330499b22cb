import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { status } from '@caretaker/appliance/lifecycle/status.ts'
import type { Lab } from '@caretaker/appliance/lifecycle/testing/lab.fixture.ts'
import { createDaemonLog } from '../daemon-log.ts'
import { Keeper } from '../keeper.ts'

/** For what the daemon does by itself, on a machine that is busy with other tests. */
const WITHIN_MS = 120_000

/** A lab that the loops of the daemon look after, in this process: a test can set their clock. */
export interface KeptLab extends AsyncDisposable {
  readonly keeper: Keeper
  /** All that the daemon has written to its log. */
  log(): Promise<string>
  /** How often a text stands in that. */
  told(text: string): Promise<number>
  state(): ReturnType<typeof status>
  /** Polls until `isSo`; what it throws meanwhile counts as no. Throws with the daemon's log when it takes too long. */
  eventually(what: string, isSo: () => Promise<boolean>): Promise<void>
}

/** Starts the loops on a lab, which the caller disposes after them. */
export function keepLab(lab: Lab, around = lab.around): KeptLab {
  const stop = new AbortController()
  const { stateFolder, configFile } = lab
  const logFile = join(stateFolder, 'logs', 'appliance', 'daemon.log')
  const places = { stateFolder, configFile, programs: around.programs }
  const options = { around, configFile, places, pagePort: 0, signal: stop.signal }
  const keeper = new Keeper(options, createDaemonLog(lab.ports, logFile))
  const kept = keeper.run(stop.signal)
  const log = () => readFile(logFile, 'utf8')
  return {
    keeper,
    log,
    told: async (text) => (await log()).split(text).length - 1,
    state: async () => status((await lab.open()).appliance, process.pid),
    async eventually(what, isSo) {
      const deadline = performance.now() + WITHIN_MS
      while (!(await isSo().catch(() => false))) {
        if (performance.now() > deadline)
          throw new Error(`not within ${WITHIN_MS} ms: ${what}\n${await log().catch(String)}`)
        await pause(50)
      }
    },
    async [Symbol.asyncDispose]() {
      stop.abort()
      await kept
    },
  }
}
