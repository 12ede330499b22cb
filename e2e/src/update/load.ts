import { readFileSync } from 'node:fs'
import { Agent, request } from 'node:https'
import { join } from 'node:path'
import type { TestAppliance } from '../support/appliance.ts'

/** Longer than the gateway lets a request wait. */
const LIMIT_MS = 120_000

export interface Failure {
  /** As `status 503`. */
  readonly what: string
  readonly afterMs: number
}

export interface Load {
  /** Waits for what is under way; gives how many requests there were, and what became of those that were not answered 200. */
  stop(): Promise<{ readonly sent: number; readonly failures: readonly Failure[] }>
}

/** Asks for a page so many times a second, whether the last one was answered or not. */
export function constantLoad(
  { state, port }: TestAppliance,
  options: { readonly path: string; readonly perSecond: number; readonly host?: string },
): Load {
  const { path, perSecond, host = 'localhost' } = options
  const ca = readFileSync(join(state, 'certificates/ca.crt'))
  const agent = new Agent({ host: '127.0.0.1', port, servername: host, ca, keepAlive: true, maxSockets: 64 })
  const failures: Failure[] = []
  const underWay = new Set<Promise<void>>()
  let sent = 0
  const ask = () =>
    new Promise<void>((resolve) => {
      const at = performance.now()
      const end = (failure?: string) => {
        if (failure !== undefined)
          failures.push({ what: failure, afterMs: Math.round(performance.now() - at) })
        resolve()
      }
      const asked = request(
        { agent, path, timeout: LIMIT_MS, headers: { host: `${host}:${port}` } },
        (response) => {
          response.resume()
          response.on('end', () =>
            end(response.statusCode === 200 ? undefined : `status ${response.statusCode}`),
          )
          response.on('error', (error) => end(String(error)))
        },
      )
      asked.on('timeout', () => asked.destroy(new Error('timeout')))
      asked.on('error', (error) => end(String(error)))
      asked.end()
    })
  const timer = setInterval(() => {
    sent += 1
    const asking = ask().finally(() => underWay.delete(asking))
    underWay.add(asking)
  }, 1000 / perSecond)
  return {
    async stop() {
      clearInterval(timer)
      await Promise.all(underWay)
      agent.destroy()
      return { sent, failures }
    },
  }
}

/** The gateway lets a request wait this long, and then says why (spec G4). */
const HOLD_MS = 29_000

/** Without those that waited at the gateway for as long as that lets them, and then read why. */
export const unheld = (failures: readonly Failure[]) =>
  failures.filter(({ what, afterMs }) => what !== 'status 503' || afterMs < HOLD_MS)
