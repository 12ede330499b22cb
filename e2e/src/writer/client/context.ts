import { openSync, readFileSync, writeSync } from 'node:fs'
import { Agent } from 'node:https'
import type { Memory } from '../memory.ts'
import type { ClientSettings } from './settings.ts'

/** Connections that stay open between requests. */
const MOST_CONNECTIONS = 24

type WithoutTime<T> = T extends unknown ? Omit<T, 'at'> : never

/** What every part of the client has. */
export interface Context {
  readonly agent: Agent
  /** Unlike that of any other client on the same appliance. */
  readonly tag: string
  /** Fires when nothing new is to be begun. */
  readonly finishing: AbortSignal
  remember(memory: WithoutTime<Memory>): void
}

/** Keep-alive connections to the appliance, and a log whose every line is with the kernel when `remember` returns. */
export function openContext(settings: ClientSettings, finishing: AbortSignal): Context {
  const log = openSync(settings.log, 'a', 0o600)
  return {
    agent: new Agent({
      host: '127.0.0.1',
      port: settings.port,
      servername: 'localhost',
      ca: readFileSync(settings.ca),
      keepAlive: true,
      maxSockets: MOST_CONNECTIONS,
    }),
    tag: `client ${process.pid}`,
    finishing,
    remember: (memory) => {
      writeSync(log, `${JSON.stringify({ ...memory, at: Date.now() })}\n`)
    },
  }
}
