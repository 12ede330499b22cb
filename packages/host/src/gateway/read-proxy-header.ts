import type { Socket } from 'node:net'
import { type ProxyHeader, parseProxyHeader } from '@caretaker/appliance/gateway/proxy-header.ts'

/** `slow`: the time is over. `gone`: the connection ended; `said` tells whether anything had come. */
export type HeaderOutcome =
  | Exclude<ProxyHeader, { kind: 'unfinished' }>
  | { readonly kind: 'slow' }
  | { readonly kind: 'gone'; readonly said: boolean }

/**
 * Takes the PROXY header, if there is one, off the beginning of a connection; what follows it can be read from the
 * socket as if nothing had been before. Waits at most `timeoutMs`, and for no more bytes than a header may have.
 */
export function readProxyHeader(socket: Socket, timeoutMs: number): Promise<HeaderOutcome> {
  return new Promise((resolve) => {
    let bytes: Buffer = Buffer.alloc(0)
    const settle = (outcome: HeaderOutcome): void => {
      clearTimeout(timer)
      socket.off('readable', look)
      socket.off('end', leave)
      socket.off('close', leave)
      resolve(outcome)
    }
    const look = (): void => {
      for (let chunk = socket.read() as Buffer | null; chunk !== null; chunk = socket.read() as Buffer | null)
        bytes = Buffer.concat([bytes, chunk])
      const header = parseProxyHeader(bytes)
      if (header.kind === 'unfinished') return
      const rest = bytes.subarray(header.kind === 'complete' ? header.length : 0)
      if (rest.length > 0) socket.unshift(rest)
      settle(header)
    }
    const leave = (): void => settle({ kind: 'gone', said: bytes.length > 0 })
    const timer = setTimeout(() => settle({ kind: 'slow' }), timeoutMs)
    socket.on('readable', look)
    socket.once('end', leave)
    socket.once('close', leave)
  })
}
