import { request } from 'node:http'
import { ADMIN_HOST } from '@caretaker/appliance/gateway/caddy/caddy-config.ts'
import { SECOND_MS } from '@caretaker/kernel/time.ts'

/** Loading waits for what is under way on listeners that close. */
const LOAD_MS = 30 * SECOND_MS
const ANSWER_MS = 5 * SECOND_MS

/** Caddy did not take a config; the message is its own. */
export class CaddyRefusal extends Error {}

/** The admin interface of a running Caddy. Every call throws the error of the system when Caddy is not there. */
export interface CaddyAdmin {
  /** The ports that it listens on; undefined when it is not there. */
  ports(): Promise<readonly number[] | undefined>
  /**
   * Puts a config in force; the one that is in force already changes nothing.
   * @throws CaddyRefusal; then the old one is in force.
   */
  load(config: string): Promise<void>
}

export function createCaddyAdmin(socketPath: string): CaddyAdmin {
  return {
    async ports() {
      const answer = await ask(socketPath, 'GET', '/config/apps/http/servers', undefined, ANSWER_MS).catch(
        () => undefined,
      )
      return answer?.status === 200 ? portsIn(answer.body) : undefined
    },
    async load(config) {
      const { status, body } = await ask(socketPath, 'POST', '/load', config, LOAD_MS)
      if (status !== 200) throw new CaddyRefusal(wordsOf(body))
    },
  }
}

function portsIn(body: string): readonly number[] {
  const servers = (JSON.parse(body) ?? {}) as Record<string, { readonly listen?: readonly string[] }>
  return Object.values(servers).flatMap(({ listen = [] }) =>
    listen.map((address) => Number(address.slice(address.lastIndexOf(':') + 1))),
  )
}

function wordsOf(body: string): string {
  try {
    const { error } = JSON.parse(body) as { error?: unknown }
    return typeof error === 'string' ? error : body
  } catch {
    return body
  }
}

function ask(
  socketPath: string,
  method: string,
  path: string,
  body: string | undefined,
  timeoutMs: number,
): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const headers = { host: ADMIN_HOST, 'content-type': 'application/json' }
    const asking = request({ socketPath, method, path, headers, agent: false }, (answer) => {
      let text = ''
      answer.setEncoding('utf8')
      answer.on('data', (chunk: string) => {
        text += chunk
      })
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, body: text }))
      answer.on('error', reject)
    })
    asking.setTimeout(timeoutMs, () =>
      asking.destroy(new Error(`Caddy gave no answer within ${timeoutMs} ms`)),
    )
    asking.on('error', reject)
    asking.end(body)
  })
}
