import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'
import { canListen } from './free-port.ts'

/**
 * Above what Linux gives to outgoing connections, see ip(7), and so above what `freePort` gives to services: neither takes
 * a port from a test while nobody listens on it.
 */
const PORTS = [61_000, 65_535] as const

/**
 * A TCP port of the loopback address that nobody listens on and no other test of this machine is given, as long as this
 * process lives: also while what shall listen there is not started yet, or is killed.
 */
export async function reservePort(): Promise<number> {
  for (;;) {
    const port = randomInt(PORTS[0], PORTS[1] + 1)
    if ((await claim(port)) && (await canListen('127.0.0.1', port)) === 'yes') return port
  }
}

/** Of all processes of a network namespace one has the abstract socket of this name; it goes with its process. */
function claim(port: number): Promise<boolean> {
  const server = createServer()
  return new Promise((resolve) => {
    server.once('error', () => resolve(false))
    server.listen(`\0caretaker-test-port-${port}`, () => {
      server.unref()
      resolve(true)
    })
  })
}
