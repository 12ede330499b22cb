import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import { type CellOrder, type CellStatus, makeCellCommand } from '@caretaker/appliance/runtime/isolation.ts'
import { jsonAnswer, type ServedRequest, serveHttp } from '../http-server.ts'
import { listPids, readStat } from '../proc.ts'
import { CellPorts } from './cell-ports.ts'
import { giveUpRights } from './give-up-rights.ts'
import { type InsideMessage, isFromInside } from './messages.ts'

export interface CellPlace {
  /** Control socket; what lies there is replaced. */
  readonly socket: string
  readonly order: CellOrder
}

const BODY_LIMIT_BYTES = 64 * 1024

/**
 * Makes a cell and keeps it until `signal` fires or its first process ends; then all that runs inside has ended. As
 * root it gives up its rights as soon as the cell is there, and is the user of the services from then on.
 * @throws Error when the machine does not allow it; what was refused stands in standard error
 */
export async function keepCell({ socket, order }: CellPlace, signal: AbortSignal): Promise<void> {
  const isRoot = process.getuid?.() === 0
  if (isRoot && !order.owner) throw new Error('a cell that root makes needs a user')
  await rm(socket, { force: true })
  const [file = '', ...args] = makeCellCommand(isRoot, [...order.program, '--order', JSON.stringify(order)])
  const cell = spawn(file, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  const ended = once(cell, 'exit')
  const stop = () => cell.kill('SIGKILL')
  signal.addEventListener('abort', stop, { once: true })
  try {
    await readyInside(cell, ended)
    const pid = await firstProcess(cell)
    const ports = new CellPorts(cell)
    const status = (): CellStatus => ({ pid, ports: ports.list() })
    await using _control = await serveHttp({
      at: { path: socket },
      bodyLimitBytes: BODY_LIMIT_BYTES,
      answer: async (request) => {
        if (request.path === '/open') await ports.open(portsOf(request))
        if (request.path === '/close') ports.close(portsOf(request))
        return jsonAnswer(200, status())
      },
    })
    if (order.owner) giveUpRights(order.owner)
    await ended
  } finally {
    stop()
  }
}

function portsOf({ body }: ServedRequest): readonly number[] {
  return (JSON.parse(body) as { ports: readonly number[] }).ports
}

async function readyInside(cell: ChildProcess, ended: Promise<unknown>): Promise<void> {
  const ready = new Promise<true>((resolve) => {
    cell.on('message', (message: InsideMessage) => {
      if (isFromInside(message, 'ready')) resolve(true)
    })
  })
  const failed = once(cell, 'error').then(([error]: unknown[]) => {
    throw error
  })
  const outcome = await Promise.race([ready, ended, failed])
  if (outcome !== true) throw new Error('the machine refused the namespaces or folders of the cell')
}

/** The one that the maker of the namespaces has started, as this machine counts it. */
async function firstProcess(cell: ChildProcess): Promise<number> {
  const first = (await listPids()).map(readStat).find((stat) => stat?.parentPid === cell.pid)
  if (!first) throw new Error('the cell has no process')
  return first.pid
}
