import { randomBytes, randomInt } from 'node:crypto'
import { mkdir, readFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { dirname } from 'node:path'
import type { CaddySecret } from '@caretaker/appliance/gateway/caddy/caddy-config.ts'
import { replace } from './certificate-files.ts'

/** Below the ports that Linux gives to outgoing connections, above those that services are known by. */
const PORTS = [20_000, 32_000] as const
const TRIES = 100

/** The secret of last time; a new one when there is none, or when `isFree` is asked for and its port is taken. */
export async function ensureSecret(
  path: string,
  options: { readonly isFree: boolean },
): Promise<CaddySecret> {
  const known = await readFile(path, 'utf8').then(
    (text) => parse(text),
    () => undefined,
  )
  if (known && (!options.isFree || (await canListen(known.port)))) return known
  const secret = { token: known?.token ?? randomBytes(32).toString('hex'), port: await freePort() }
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  await replace(path, `${JSON.stringify(secret)}\n`)
  return secret
}

/** A damaged one is as good as none. */
function parse(text: string): CaddySecret | undefined {
  try {
    const { token, port } = JSON.parse(text) as Partial<CaddySecret>
    return typeof token === 'string' && /^[0-9a-f]{64}$/.test(token) && Number.isInteger(port)
      ? { token, port: port as number }
      : undefined
  } catch {
    return undefined
  }
}

async function freePort(): Promise<number> {
  for (let tries = 0; tries < TRIES; tries++) {
    const port = randomInt(...PORTS)
    if (await canListen(port)) return port
  }
  throw new Error(`no port of 127.0.0.1 from ${PORTS[0]} to ${PORTS[1]} is free`)
}

async function canListen(port: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}
