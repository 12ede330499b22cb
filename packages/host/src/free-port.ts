import { randomInt } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { isErrno } from './errno.ts'

/** Below it are the ports of well-known and of most registered services. */
const LOWEST_PORT = 10_000
/** What Linux takes when nobody has set another range, see ip(7). */
const USUAL_EPHEMERAL_START = 32_768
const TRIES = 100

/**
 * A TCP port of the loopback address that was free just now: below the range from which the kernel gives ports to outgoing
 * connections, since a service that is started again could find its own taken by one of them. Where that range leaves no
 * room below, any port.
 */
export async function freePort(): Promise<number> {
  const end = ephemeralStart(await readFile('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').catch(() => ''))
  for (let tries = 0; end > LOWEST_PORT && tries < TRIES; tries++) {
    const port = randomInt(LOWEST_PORT, end)
    if ((await canListen('127.0.0.1', port)) === 'yes') return port
  }
  const server = await listen('127.0.0.1', 0)
  const { port } = server.address() as AddressInfo
  await close(server)
  return port
}

/** The first port of the range in ip_local_port_range. */
export function ephemeralStart(range: string): number {
  const start = Number.parseInt(range, 10)
  return Number.isNaN(start) ? USUAL_EPHEMERAL_START : start
}

export async function canListen(
  host: string,
  port: number,
): Promise<'yes' | 'in-use' | 'no-permission' | 'no-address'> {
  try {
    await close(await listen(host, port))
    return 'yes'
  } catch (error) {
    if (isErrno(error, 'EADDRINUSE')) return 'in-use'
    if (isErrno(error, 'EACCES', 'EPERM')) return 'no-permission'
    if (isErrno(error, 'EADDRNOTAVAIL', 'ENOTFOUND', 'EAFNOSUPPORT', 'EAI_AGAIN')) return 'no-address'
    throw error
  }
}

function listen(host: string, port: number): Promise<Server> {
  const server = createServer()
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host, port, exclusive: true }, () => resolve(server))
  })
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()))
}
