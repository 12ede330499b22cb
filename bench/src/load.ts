import { join } from 'node:path'
import { node, root, runProgram } from './programs.ts'

const SECONDS = 5
const CONNECTIONS = '20'
const autocannon = join(root, 'bench/node_modules/autocannon/autocannon.js')

/** Twenty connections for five seconds. @throws when a request was not answered with 2xx */
export const load = (url: string, host: string) => loadWith(url, host, SECONDS, [])

/** Twenty connections that ask `perSecond` times together. @throws as {@link load} */
export const loadAt = (url: string, host: string, perSecond: number, seconds: number) =>
  loadWith(url, host, seconds, ['--overallRate', String(perSecond)])

async function loadWith(url: string, host: string, seconds: number, more: readonly string[]) {
  const args = ['--json', '--connections', CONNECTIONS, '--duration', String(seconds), ...more]
  const asked = [...args, '--headers', `host=${host}`, url]
  const found = JSON.parse(await runProgram(node, [autocannon, ...asked])) as Load
  if (found.errors + found.non2xx + found.timeouts > 0) throw new Error(`${url}: not every answer was good`)
  return { rate: found.requests.average, p50: found.latency.p50, p99: found.latency.p99 }
}

interface Load {
  readonly errors: number
  readonly non2xx: number
  readonly timeouts: number
  readonly requests: { readonly average: number }
  readonly latency: { readonly p50: number; readonly p99: number }
}
