import { isIPv6, type Socket } from 'node:net'
import { MAX_CONNECTIONS_PER_CLIENT } from './limits.ts'

/** Counts the open connections of each client. */
export class ClientConnections {
  readonly #open = new Map<string, number>()

  /** Takes a connection of that address into account until it closes; false when its client has too many. */
  admit(address: string, socket: Socket): boolean {
    const client = clientOf(address)
    const open = this.#open.get(client) ?? 0
    if (open >= MAX_CONNECTIONS_PER_CLIENT) return false
    this.#open.set(client, open + 1)
    socket.once('close', () => {
      const left = (this.#open.get(client) ?? 1) - 1
      if (left > 0) this.#open.set(client, left)
      else this.#open.delete(client)
    })
    return true
  }
}

/** An IPv6 client has a whole /64 to choose addresses from (RFC 6177), so that counts as one. */
export function clientOf(address: string): string {
  if (!isIPv6(address)) return address
  const [before = '', after] = address.split('::')
  const head = before === '' ? [] : before.split(':')
  const tail = after === undefined || after === '' ? [] : after.split(':')
  const middle = after === undefined ? [] : Array.from({ length: 8 - head.length - tail.length }, () => '0')
  return `${[...head, ...middle, ...tail].slice(0, 4).join(':')}::/64`
}
