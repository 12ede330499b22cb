import type { ChildProcess } from 'node:child_process'
import { createServer, type Server } from 'node:net'
import { LOOPBACK } from '@caretaker/appliance/runtime/runtime.ts'
import { AppError, messageOf } from '@caretaker/kernel/errors.ts'
import type { OutsideMessage } from './messages.ts'

/** Ports of this machine's loopback address whose connections are handed into a cell. */
export class CellPorts {
  readonly #cell: ChildProcess
  readonly #servers = new Map<number, Server>()

  constructor(cell: ChildProcess) {
    this.#cell = cell
  }

  list(): readonly number[] {
    return [...this.#servers.keys()]
  }

  /** Those that are open stay so. @throws AppError PORT_IN_USE */
  async open(ports: readonly number[]): Promise<void> {
    for (const port of ports) {
      if (!this.#servers.has(port)) this.#servers.set(port, await this.#listen(port))
    }
  }

  /** Connections that are there go on until they end. */
  close(ports: readonly number[]): void {
    for (const port of ports) {
      this.#servers.get(port)?.close()
      this.#servers.delete(port)
    }
  }

  async #listen(port: number): Promise<Server> {
    const message: OutsideMessage = { kind: 'to', port }
    const server = createServer({ pauseOnConnect: true }, (connection) => {
      connection.on('error', () => connection.destroy())
      this.#cell.send(message, connection, (error) => {
        if (error) connection.destroy()
      })
    })
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error) => reject(portRefused(port, error)))
      server.listen(port, LOOPBACK, resolve)
    })
    return server
  }
}

function portRefused(port: number, cause: unknown): AppError {
  return new AppError('PORT_IN_USE', {
    what: 'The clone cannot be reached',
    why: `port ${port} of ${LOOPBACK} cannot be had: ${messageOf(cause)}`,
    next: 'Run "caretaker up"; it takes another port',
    cause,
  })
}
