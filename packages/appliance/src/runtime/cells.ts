import { join } from 'node:path'
import { AppError, messageOf } from '@caretaker/kernel/errors.ts'
import { hashOf } from '@caretaker/kernel/json.ts'
import { SECOND_MS } from '@caretaker/kernel/time.ts'
import { waitUntil } from '@caretaker/ports/deadline.ts'
import { writeJsonDurably } from '@caretaker/ports/durable.ts'
import type { Ports } from '@caretaker/ports/ports.ts'
import type { ProcessIdentity } from '@caretaker/ports/process.ts'
import type { CellOrder, CellStatus, Isolation } from './isolation.ts'
import { notIsolated } from './isolation.ts'
import { lastWords } from './logs.ts'
import { findOwnProcesses, placeOf } from './own-processes.ts'
import type { ServiceSpec } from './runtime.ts'

/** Service part of the label of the processes that keep a cell: no service has this name. */
export const CELL = 'cell@'

/** A cell is made within fractions of a second; a busy machine takes longer. */
const START_LIMIT_MS = 30 * SECOND_MS
const ANSWER_MS = 15 * SECOND_MS

export interface CellOptions {
  /** Starts the process that makes and keeps a cell; its order follows as words. */
  readonly program: readonly [string, ...string[]]
  /** Where its control socket lies: a short path. */
  readonly runFolder: string
  /** Whether containers of this application need its cell. */
  readonly isUsed?: (app: string) => Promise<boolean>
}

export interface CellsOptions extends CellOptions {
  readonly applianceId: string
  /** Folder of the records of the runtime. */
  readonly folder: string
}

interface CellRecord {
  readonly identity: ProcessIdentity
  readonly orderHash: string
}

type CellPorts = Pick<Ports, 'files' | 'processes' | 'clock' | 'network'>

/** The cells of clones: made when the first service or command needs one, ended with the last. */
export interface Cells {
  /**
   * The cell of a spec, which is made if need be; its ports lead inside from now on. An open one takes mail at `mailHost`,
   * an address of this machine, in place of 127.0.0.1.
   */
  open(spec: ServiceSpec, isolation: Isolation, mailHost?: string): Promise<CellStatus>
  /** The cell of a clone as it is; undefined when it has none or it does not answer. */
  status(app: string): Promise<CellStatus | undefined>
  /** Ports of a service that ended lead nowhere any more. */
  closePorts(app: string, ports: readonly number[]): Promise<void>
  /** Ends the cell of a clone unless something runs in it. */
  endUnused(app: string): Promise<void>
  /** Ends the cell of a clone with all that is in it. */
  end(app: string): Promise<void>
}

export function createCells(ports: CellPorts, options: CellsOptions): Cells {
  const { files, processes, clock, network } = ports
  const recordPath = (name: string) => join(options.folder, 'cells', `${name}.json`)
  const socketPath = (name: string) => join(options.runFolder, 'cell', `${name}.sock`)

  async function readRecord(name: string): Promise<CellRecord | undefined> {
    try {
      return JSON.parse((await files.readText(recordPath(name))) ?? '') as CellRecord
    } catch {
      // As good as none: its processes carry the label and are ended.
      return undefined
    }
  }

  async function ask(name: string, method: string, path: string, value?: unknown): Promise<CellStatus> {
    const response = await network.request({
      method,
      url: `http://cell${path}`,
      socketPath: socketPath(name),
      timeoutMs: ANSWER_MS,
      ...(value === undefined ? {} : { body: JSON.stringify(value) }),
    })
    const answer = JSON.parse(response.body) as CellStatus & {
      error?: Parameters<typeof AppError.fromReport>[0]
    }
    if (answer.error) throw AppError.fromReport(answer.error)
    return answer
  }

  async function membersOf(app: string) {
    const found = await findOwnProcesses(processes, options.applianceId, options.folder)
    const members = found.filter(({ label }) => label.app === app)
    const keepers = members.filter(({ label }) => label.service === CELL)
    return { keepers, others: members.length - keepers.length }
  }

  async function end(app: string): Promise<void> {
    const { keepers } = await membersOf(app)
    for (const { identity } of keepers) await processes.signal(identity, 'SIGKILL')
    for (const { identity } of keepers) await processes.waitForExit(identity)
    await files.remove(recordPath(app))
    await files.remove(socketPath(app))
  }

  /** What is known to be alive and answers; undefined when it must be made. */
  async function present(app: string, orderHash: string): Promise<CellStatus | undefined> {
    const record = await readRecord(app)
    if (!record || !(await processes.isAlive(record.identity))) return undefined
    // One with another order goes on while something runs in it: what is there was started with that.
    if (record.orderHash !== orderHash && (await membersOf(app)).others === 0) return undefined
    return ask(app, 'GET', '/status').catch(() => undefined)
  }

  async function make(spec: ServiceSpec, order: CellOrder, orderHash: string): Promise<CellStatus> {
    const { app } = spec
    await end(app)
    for (const folder of [join(recordPath(app), '..'), join(socketPath(app), '..')]) {
      await files.makeFolder(folder, 0o700)
    }
    for (const { path } of order.show) {
      if (!(await files.stat(path))) await files.makeFolder(path, 0o711)
    }
    await files.makeFolder(order.mailFolder, 0o700)
    if (order.owner) await files.setOwner(order.mailFolder, order.owner)
    const logFile = join(spec.logFile, '..', 'cell.log')
    await files.makeFolder(join(logFile, '..'))
    const [file, ...args] = options.program
    const identity = await processes.start({
      file,
      args: [...args, '--socket', socketPath(app), '--order', JSON.stringify(order)],
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', NODE_OPTIONS: '' },
      cwd: '/',
      logFile,
      label: { appliance: options.applianceId, app, service: CELL, place: placeOf(options.folder) },
    })
    const record: CellRecord = { identity, orderHash }
    await writeJsonDurably(files, recordPath(app), record)
    let last = 'it does not answer'
    const status = await waitUntil(clock, { timeoutMs: START_LIMIT_MS }, async () => {
      if (!(await processes.isAlive(identity))) return 'ended' as const
      return ask(app, 'GET', '/status').catch((error: unknown) => {
        last = messageOf(error)
        return undefined
      })
    })
    if (status !== undefined && status !== 'ended') return status
    await end(app)
    const why = status === 'ended' ? 'what makes its place ended' : last
    throw notIsolated(`${app} was not started`, `${why}${await lastWords(files, logFile, 3)}`)
  }

  return {
    async status(app) {
      const record = await readRecord(app)
      if (!record || !(await processes.isAlive(record.identity))) return undefined
      return ask(app, 'GET', '/status').catch(() => undefined)
    },

    async open(spec, { ports: wanted, ...isolation }, mailHost) {
      const { program } = options
      const at = mailHost === undefined ? {} : { mailHost }
      const order: CellOrder = { ...isolation, ...at, program, ...(spec.owner ? { owner: spec.owner } : {}) }
      const { hide, show, open = false } = isolation
      // Another build of the program is no other cell.
      const orderHash = hashOf({ hide, show, open, owner: spec.owner ?? null, ...at })
      const status = (await present(spec.app, orderHash)) ?? (await make(spec, order, orderHash))
      const missing = open ? [] : wanted.filter((port) => !status.ports.includes(port))
      if (missing.length > 0) await ask(spec.app, 'POST', '/open', { ports: missing })
      return status
    },

    async closePorts(app, closed) {
      if (closed.length > 0) await ask(app, 'POST', '/close', { ports: closed }).catch(() => undefined)
    },

    async endUnused(app) {
      const { keepers, others } = await membersOf(app)
      if (keepers.length === 0 || others > 0) return
      if (await options.isUsed?.(app)) return
      await end(app)
    },

    end,
  }
}
