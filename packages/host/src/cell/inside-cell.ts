import { execFileSync } from 'node:child_process'
import { mkdirSync, openSync, readFileSync, realpathSync, statSync } from 'node:fs'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { pipeline } from 'node:stream'
import {
  type CellMount,
  type CellOrder,
  cellMounts,
  SMTP_PORT,
} from '@caretaker/appliance/runtime/isolation.ts'
import { LOOPBACK } from '@caretaker/appliance/runtime/runtime.ts'
import { giveUpRights } from './give-up-rights.ts'
import type { InsideMessage, OutsideMessage } from './messages.ts'

/**
 * The first process of a cell: arranges what is seen inside, then hands connections to the services. It ends when the
 * process that keeps the cell has ended, and with it all that runs inside.
 */
export async function runInsideCell(order: CellOrder): Promise<void> {
  const gone = new Promise<void>((resolve) => process.on('disconnect', resolve))
  // Whatever is open would keep this process, and all inside with it.
  const open = new Set<Socket>()
  let mail: Server
  try {
    run('ip', ['link', 'set', 'lo', 'up'])
    mail = await takeMail()
    arrange(order)
    if (order.owner) giveUpRights(order.owner)
  } catch (error) {
    process.disconnect?.()
    throw error
  }
  process.on('message', ({ port }: OutsideMessage, connection: Socket | undefined) => {
    if (connection) handOver(connection, port, open)
  })
  const ready: InsideMessage = { kind: 'ready' }
  process.send?.(ready)
  await gone
  mail.close()
  for (const socket of open) socket.destroy()
}

/** Listens where programs look for the mail server of their machine, which only root may, and passes clients on. */
async function takeMail(): Promise<Server> {
  const server = createServer({ pauseOnConnect: true }, (client) => {
    client.on('error', () => client.destroy())
    const message: InsideMessage = { kind: 'mail' }
    process.send?.(message, client, {}, (error) => {
      if (error) client.destroy()
    })
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(SMTP_PORT, LOOPBACK, resolve)
  })
  return server
}

function handOver(connection: Socket, port: number, open: Set<Socket>): void {
  const service = connect({ port, host: LOOPBACK, allowHalfOpen: true })
  for (const socket of [connection, service]) {
    open.add(socket)
    socket.once('close', () => open.delete(socket))
  }
  connection.allowHalfOpen = true
  const end = (error: unknown) => {
    if (!error) return
    connection.destroy()
    service.destroy()
  }
  pipeline(connection, service, end)
  pipeline(service, connection, end)
}

/** What is shown is held open first, since nobody finds it any more once it is hidden. */
function arrange({ hide, show }: CellOrder): void {
  const there = hide.filter(isThere).map((path) => realpathSync(path))
  const shown = show.map(({ path, writable }) => ({ path: realpathSync(path), writable }))
  const mounts = cellMounts({ hide: there, show: shown }).filter(
    (change) => change.kind === 'show' || isThere(change.path),
  )
  const held = new Map(shown.map(({ path }) => [path, openSync(path, 'r')]))
  for (const change of mounts) apply(change, held)
}

function apply(change: CellMount, held: ReadonlyMap<string, number>): void {
  const { path } = change
  if (change.kind === 'empty') {
    if (statSync(path).isFile()) return mount(['--bind', '/dev/null', path])
    const mode = change.scratch ? '1777' : '0755'
    return mount(['-t', 'tmpfs', '-o', `mode=${mode},nosuid,nodev`, 'tmpfs', path])
  }
  if (change.kind === 'freeze') {
    if (statSync(path).isDirectory()) mount(['-o', 'remount,ro,nosuid,nodev', path])
    return
  }
  mkdirSync(path, { recursive: true })
  // Not looked up by its name: the kernel follows the descriptor to the folder itself.
  mount(['--no-canonicalize', '--rbind', `/proc/${process.pid}/fd/${held.get(path)}`, path])
  if (!change.writable) mount(['-o', ['remount,bind,ro', ...keptOptions(path)].join(','), path])
}

/** Options of a mount that a user who is not root may not take away: proc_pid_mountinfo(5). */
function keptOptions(path: string): readonly string[] {
  const lines = readFileSync('/proc/self/mountinfo', 'utf8').split('\n')
  const escaped = path.replaceAll(
    /[ \t\n\\]/g,
    (char) => `\\${char.charCodeAt(0).toString(8).padStart(3, '0')}`,
  )
  const fields = lines.map((line) => line.split(' ')).findLast((each) => each[4] === escaped)
  return (fields?.[5] ?? '').split(',').filter((option) => KEPT.has(option))
}

const KEPT = new Set(['nosuid', 'nodev', 'noexec', 'noatime', 'nodiratime', 'relatime'])

function isThere(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined
}

/** Leaves no note of it behind in the empty /run. */
function mount(words: readonly string[]): void {
  run('mount', ['--no-mtab', ...words])
}

function run(file: string, args: readonly string[]): void {
  execFileSync(file, args, { stdio: ['ignore', 'inherit', 'inherit'] })
}
