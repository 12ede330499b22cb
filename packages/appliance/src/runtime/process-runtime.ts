import { join } from 'node:path'
import { AppError } from '@caretaker/kernel/errors.ts'
import { readableId } from '@caretaker/kernel/ids.ts'
import { writeJsonDurably } from '@caretaker/ports/durable.ts'
import type { Ports } from '@caretaker/ports/ports.ts'
import type { DetachedCommand, ProcessIdentity } from '@caretaker/ports/process.ts'
import { callerOf, isCallerAlive } from './caller.ts'
import { CELL, type CellOptions, createCells } from './cells.ts'
import { endProcess } from './end-process.ts'
import { enterCellCommand } from './isolation.ts'
import { findOwnProcesses, placeOf } from './own-processes.ts'
import type { DamagedRecord, Runtime, ServiceSpec, ServiceStatus, Slot, StopSpec } from './runtime.ts'
import { LOOPBACK, parseServiceKey, serviceKey, specHash } from './runtime.ts'
import { createStragglers } from './stragglers.ts'

type RuntimePorts = Pick<Ports, 'files' | 'processes' | 'clock' | 'network'>

/** What is remembered of a started service, on disk, so that the next daemon finds it. Holds no secret. */
interface ServiceRecord {
  readonly app: string
  readonly service: string
  /** Absent: `a`. */
  readonly slot?: Slot
  readonly releaseId: string
  readonly specHash: string
  readonly identity: ProcessIdentity
  readonly startedAt: string
  readonly stop: StopSpec
  readonly logFile: string
  /** {@link placeOf} the folder it was written to: in a copy of that, the process is not one's own. */
  readonly place?: string
  /** Ports that lead into its cell. */
  readonly cellPorts?: readonly number[]
}

export interface ProcessRuntimeOptions {
  /** Id of the appliance: the label of everything that is started. */
  readonly applianceId: string
  /** Folder of the records. */
  readonly folder: string
  /** Of this process. */
  readonly pid: number
  /** How services of clones are kept from the outside; without it, none can be started. */
  readonly cells?: CellOptions
}

function programMissing(file: string): AppError {
  return new AppError('COMMAND_NOT_FOUND', {
    what: `"${file}" could not be run`,
    why: 'there is no such file',
    next: `Install "${file}", then repeat the command`,
  })
}

type PlacedCommand = Pick<DetachedCommand, 'file' | 'args' | 'env' | 'cwd' | 'owner' | 'forks'>

/** Service part of the label of a one-off command; who waits for it follows, as {@link callerOf} names it, and an id. */
const RUN_PREFIX = 'run@'

/** Ending of a damaged record that was set aside. */
const SET_ASIDE = '.damaged'

/** Application, service and what follows: neither name has a dot. */
const RECORD_NAME = /^([^.]+)\.([^.]+)\.json(\.damaged)?$/

/** Services as processes of this machine: no root, no docker. */
export function createProcessRuntime(ports: RuntimePorts, options: ProcessRuntimeOptions): Runtime {
  const { files, processes, clock } = ports
  const place = placeOf(options.folder)
  const recordPath = (app: string, service: string, slot?: Slot) =>
    join(options.folder, `${app}.${serviceKey(service, slot)}.json`)

  const cells = options.cells && createCells(ports, { ...options, ...options.cells })

  /** What is started so that this command runs where its spec wants it, as the user it wants. */
  async function placed(
    spec: ServiceSpec,
    command: readonly [string, ...string[]],
    use: { readonly ownGroup: boolean },
  ): Promise<PlacedCommand> {
    const { owner, cwd, isolation } = spec
    const [file, ...args] = command
    const plain = { file, args, cwd, env: spec.env, ...(owner ? { owner } : {}) }
    if (!isolation) return plain
    if (!cells) throw new Error(`nothing is set up to keep ${spec.app} from the outside`)
    // What goes inside would only end there, with an exit code of its own.
    if (file.startsWith('/') && !(await files.stat(file))) throw programMissing(file)
    const { pid, smtpPort } = await cells.open(spec, isolation)
    // Only the cell knows where it takes mail; no setting of the application leads it elsewhere.
    const env = { ...spec.env, SMTP_URL: `smtp://${LOOPBACK}:${smtpPort}` }
    if (pid === undefined) return { ...plain, env }
    const [way, ...words] = enterCellCommand(pid, owner, cwd, command, use)
    return { file: way, args: words, cwd: '/', env, forks: true }
  }

  /** Records as they were last read, by path: what is damaged later can be written anew. */
  const read = new Map<string, ServiceRecord>()

  /** A damaged record is as good as none: its process carries the label and is ended as a leftover. */
  async function readRecord(path: string): Promise<ServiceRecord | undefined> {
    const record = await parseRecord(path)
    if (record === 'damaged') return undefined
    if (record) read.set(path, record)
    else read.delete(path)
    return record
  }

  async function parseRecord(path: string): Promise<ServiceRecord | 'damaged' | undefined> {
    const text = await files.readText(path)
    if (text === undefined) return undefined
    try {
      const record = JSON.parse(text) as ServiceRecord
      if (record.place !== undefined && record.place !== place) return undefined
      const isItsOwn = recordPath(record.app, record.service, record.slot) === path
      return isItsOwn && record.identity.pid > 0 ? record : 'damaged'
    } catch {
      return 'damaged'
    }
  }

  /** Whether this is a one-off command whose caller is still there to see its end. */
  async function isAwaited(service: string): Promise<boolean> {
    if (!service.startsWith(RUN_PREFIX)) return false
    return isCallerAlive(files, service.slice(RUN_PREFIX.length).split('@')[0] ?? '')
  }

  async function statusOf(record: ServiceRecord): Promise<ServiceStatus> {
    const { app, service, releaseId, startedAt, logFile } = record
    const alive = await processes.isAlive(record.identity)
    return {
      runtime: 'process',
      app,
      service,
      slot: record.slot ?? 'a',
      releaseId,
      startedAt,
      logFile,
      specHash: record.specHash,
      pid: record.identity.pid,
      identity: record.identity,
      state: alive ? 'running' : 'ended',
    }
  }

  const stragglers = createStragglers(ports, options)

  async function runningKeys(): Promise<ReadonlySet<string>> {
    const running = (await listRecorded()).filter(({ state }) => state === 'running')
    return new Set(running.map((entry) => `${entry.app}/${serviceKey(entry.service, entry.slot)}`))
  }

  /** What belongs neither to a service that runs nor to a command that somebody waits for. */
  async function endOthers(app?: string) {
    const ended = await stragglers.endOthers({ running: runningKeys, isAwaited }, app)
    return ended.map(({ app, service, pid }) => ({ app, service, pid }))
  }

  async function listRecorded(): Promise<readonly ServiceStatus[]> {
    const entries = (await files.list(options.folder)) ?? []
    const records = await Promise.all(
      entries
        .filter((entry) => entry.name.endsWith('.json'))
        .map((entry) => readRecord(join(options.folder, entry.name))),
    )
    return Promise.all(records.filter((record) => record !== undefined).map(statusOf))
  }

  async function stopRecorded(app: string, service: string, slot?: Slot): Promise<void> {
    const path = recordPath(app, service, slot)
    const record = await readRecord(path)
    if (record) await endProcess(ports, record.identity, record.stop)
    // Children that outlive a service would keep its port and its files; so would a start that was never recorded.
    await stragglers.endOf(app, serviceKey(service, slot), record?.stop.signal ?? 'SIGTERM')
    if (cells && record?.cellPorts) {
      await cells.closePorts(app, record.cellPorts)
      await cells.endUnused(app)
    }
    await files.remove(path)
    if ((await files.stat(options.folder)) !== undefined) await files.sync(options.folder)
  }

  return {
    kind: 'process',

    async start(spec) {
      const hash = specHash(spec)
      const path = recordPath(spec.app, spec.service, spec.slot)
      const record = await readRecord(path)
      if (record && record.specHash === hash && (await processes.isAlive(record.identity))) return
      await stopRecorded(spec.app, spec.service, spec.slot)
      await files.makeFolder(options.folder, 0o700)
      await files.makeFolder(join(spec.logFile, '..'))
      const identity = await processes.start({
        ...(await placed(spec, spec.command, { ownGroup: true })),
        logFile: spec.logFile,
        label: {
          appliance: options.applianceId,
          app: spec.app,
          service: serviceKey(spec.service, spec.slot),
          place,
        },
      })
      const started: ServiceRecord = {
        app: spec.app,
        service: spec.service,
        ...(spec.slot === undefined ? {} : { slot: spec.slot }),
        releaseId: spec.releaseId,
        specHash: hash,
        identity,
        startedAt: clock.now().toISOString(),
        stop: spec.stop,
        logFile: spec.logFile,
        place,
        ...(spec.isolation ? { cellPorts: spec.isolation.ports } : {}),
      }
      try {
        await writeJsonDurably(files, path, started)
      } catch (error) {
        // What is not recorded would be looked after by nobody.
        await endProcess(ports, identity, spec.stop)
        throw error
      }
    },

    stop: stopRecorded,

    async status(app, service, slot) {
      const record = await readRecord(recordPath(app, service, slot))
      return record ? statusOf(record) : undefined
    },

    list: listRecorded,

    async waitForExit(app, service, signal, slot) {
      const record = await readRecord(recordPath(app, service, slot))
      if (!record) return { exitCode: undefined, signal: undefined }
      return processes.waitForExit(record.identity, signal)
    },

    async runOnce(spec, command, runOptions, signal) {
      const [file, ...args] = command
      if (file === undefined) throw new Error('a command has at least one word')
      const { forks: _, ...where } = await placed(spec, [file, ...args], { ownGroup: false })
      // Found again, and ended, when the one who waits for it dies: see endLeftovers.
      const key = `${RUN_PREFIX}${await callerOf(files, options.pid)}@${readableId(8)}`
      try {
        return await processes.run(
          {
            ...where,
            label: { appliance: options.applianceId, app: spec.app, service: key, place },
            timeoutMs: runOptions.timeoutMs,
            ...(runOptions.onLine ? { onLine: runOptions.onLine } : {}),
          },
          signal,
        )
      } finally {
        // What it has left behind would go on in data that others take for settled.
        await stragglers.endOf(spec.app, key, 'SIGTERM')
        if (spec.isolation) await cells?.endUnused(spec.app)
      }
    },

    async damaged() {
      const entries = (await files.list(options.folder)) ?? []
      const found = entries.map(async ({ name }): Promise<DamagedRecord[]> => {
        const [, app, key, ending] = RECORD_NAME.exec(name) ?? []
        if (app === undefined || key === undefined) return []
        const file = join(options.folder, name)
        const setAside = ending === SET_ASIDE
        if (!setAside && (await parseRecord(file)) !== 'damaged') return []
        return [{ app, ...parseServiceKey(key), file, setAside }]
      })
      return (await Promise.all(found)).flat()
    },

    async mend({ file }) {
      if ((await parseRecord(file)) !== 'damaged') return true
      const record = read.get(file)
      await files.rename(file, `${file}${SET_ASIDE}`)
      const goesOn = record !== undefined && (await processes.isAlive(record.identity))
      if (goesOn) await writeJsonDurably(files, file, record)
      else await files.sync(options.folder)
      return goesOn
    },

    async cell(app) {
      return cells?.status(app)
    },

    runInside(spec, command, runOptions, signal) {
      return this.runOnce(spec, command, runOptions, signal)
    },

    async gatherLogs() {
      // Services append to their log files themselves.
    },

    async forget(app) {
      // Whoever waits for a command of it waits in vain.
      await stragglers.endOthers({ running: async () => new Set(), isAwaited: async () => false }, app)
      await cells?.end(app)
    },

    async endLeftovers() {
      const leftovers = await endOthers()
      const labelled = await findOwnProcesses(processes, options.applianceId, options.folder)
      const kept = labelled.filter(({ label }) => label.service === CELL).map(({ label }) => label.app)
      for (const app of new Set(kept)) await cells?.endUnused(app)
      return leftovers
    },

    async endStrays(app) {
      await endOthers(app)
    },
  }
}
