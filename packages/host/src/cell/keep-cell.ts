import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readFile, rm, writeFile } from 'node:fs/promises'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import {
  type CellOrder,
  type CellStatus,
  MAIL_KEY_FILE,
  MAIL_PORT_FILE,
  makeCellCommand,
  SMTP_PORT,
} from '@caretaker/appliance/runtime/isolation.ts'
import { LOOPBACK } from '@caretaker/appliance/runtime/runtime.ts'
import { unlessErrno } from '../errno.ts'
import { jsonAnswer, type ServedRequest, serveHttp } from '../http-server.ts'
import { MailBox } from '../mail/mail-box.ts'
import { serveMailPages } from '../mail/mail-pages.ts'
import { MailSink } from '../mail/mail-sink.ts'
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
 * Makes a cell and keeps it until `signal` fires or its first process ends; then all that runs inside has ended. Takes its
 * mail and shows it. As root it gives up its rights as soon as the cell is there, and is the user of the services from then
 * on. An open cell is the mail alone.
 * @throws Error when the machine does not allow it; what was refused stands in standard error
 */
export async function keepCell({ socket, order }: CellPlace, signal: AbortSignal): Promise<void> {
  if (process.getuid?.() === 0 && !order.owner) throw new Error('a cell that root makes needs a user')
  await rm(socket, { force: true })
  const box = new MailBox(order.mailFolder)
  const sink = new MailSink(box)
  await using cell = order.open ? openCell(signal) : await closedCell(order, sink, signal)
  const smtpPort = order.open ? await takeMail(sink, order) : SMTP_PORT
  const { ports } = cell
  let mailPagePort = 0
  const status = (): CellStatus => ({
    ...(cell.pid === undefined ? {} : { pid: cell.pid }),
    ports: ports?.list() ?? [],
    smtpPort,
    mailPagePort,
  })
  // Its folder may be ours alone: while we are root still.
  const listening = Promise.withResolvers<void>()
  await using _control = await serveHttp({
    at: { path: socket },
    bodyLimitBytes: BODY_LIMIT_BYTES,
    answer: async (request) => {
      await listening.promise
      if (request.path === '/open') await ports?.open(portsOf(request))
      if (request.path === '/close') ports?.close(portsOf(request))
      return jsonAnswer(200, status())
    },
  })
  if (order.owner) giveUpRights(order.owner)
  await using pages = await serveMailPages(order.name, box, await newKey(order.mailFolder))
  mailPagePort = pages.port
  listening.resolve()
  await cell.ended
}

interface Cell extends AsyncDisposable {
  readonly pid?: number
  readonly ports?: CellPorts
  /** Resolves when nothing runs inside any more, or the signal has fired. */
  readonly ended: Promise<unknown>
}

function openCell(signal: AbortSignal): Cell {
  const ended = signal.aborted ? Promise.resolve() : once(signal, 'abort')
  return { ended, async [Symbol.asyncDispose]() {} }
}

async function closedCell(order: CellOrder, sink: MailSink, signal: AbortSignal): Promise<Cell> {
  const isRoot = process.getuid?.() === 0
  const [file = '', ...args] = makeCellCommand(isRoot, [...order.program, '--order', JSON.stringify(order)])
  const child = spawn(file, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  const ended = once(child, 'exit')
  // Its first process ends when nobody holds the other end any more; a signal takes rights that we have given up.
  const stop = () => {
    if (child.connected) child.disconnect()
  }
  signal.addEventListener('abort', stop, { once: true })
  child.on('message', (message: InsideMessage, client: Socket | undefined) => {
    if (!isFromInside(message, 'mail') || !client) return
    client.on('error', () => client.destroy())
    sink.serve(client)
  })
  try {
    await readyInside(child, ended)
    return {
      pid: await firstProcess(child),
      ports: new CellPorts(child),
      ended,
      async [Symbol.asyncDispose]() {
        stop()
      },
    }
  } catch (error) {
    stop()
    throw error
  }
}

/** Where it was taken last, if that is to be had: who was told so goes on. */
async function takeMail(sink: MailSink, { mailHost, mailFolder }: CellOrder): Promise<number> {
  const file = join(mailFolder, MAIL_PORT_FILE)
  const last = Number(await unlessErrno(readFile(file, 'utf8'), ['ENOENT'], '0'))
  const port = await sink.listen(mailHost ?? LOOPBACK, Number.isInteger(last) && last < 65_536 ? last : 0)
  await rm(file, { force: true })
  await writeFile(file, `${port}`, { mode: 0o600, flag: 'wx' })
  return port
}

/** What opens the page of the mails, as long as this cell is there. */
async function newKey(folder: string): Promise<string> {
  const key = randomBytes(24).toString('base64url')
  const path = join(folder, MAIL_KEY_FILE)
  await rm(path, { force: true })
  await writeFile(path, key, { mode: 0o600, flag: 'wx' })
  return key
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
