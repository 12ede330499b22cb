import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { TestAppliance } from '../support/appliance.ts'
import { type ClientSettings, FINISH } from './client/settings.ts'
import { type Memory, memoryReader } from './memory.ts'

const MAIN = fileURLToPath(new URL('./client/main.ts', import.meta.url))

/** A client that writes to the guestbook, in a process and a session of its own. */
export interface WriterClient extends AsyncDisposable {
  memories(): readonly Memory[]
  /** Lets it finish what it has begun, and gives all it remembers. */
  finish(): Promise<readonly Memory[]>
}

/** Long as over a slow line; short enough to get through between two kills. */
export const UPLOADS_MS = { long: 20_000, short: 1_500 } as const

/** Starts a client of the guestbook of this appliance, with uploads that take so long. */
export function startClient(
  appliance: TestAppliance,
  uploadsMs: readonly number[],
  { log = join(appliance.home, 'client.jsonl'), readsEvents = true } = {},
): WriterClient {
  const ca = join(appliance.state, 'certificates/ca.crt')
  const settings: ClientSettings = { port: appliance.port, ca, log, uploadsMs, readsEvents }
  const child = fork(MAIN, [JSON.stringify(settings)], {
    detached: true,
    execArgv: [],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  const memories = memoryReader(log)
  const ended = once(child, 'exit')
  return {
    memories,
    async finish() {
      child.send(FINISH)
      const [code] = await ended
      if (code !== 0) throw new Error(`the client ended with ${code}`)
      return memories()
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await ended
    },
  }
}
