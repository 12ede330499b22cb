import { chmod, mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { eventually } from '../support/observe.ts'
import type { Bed } from './bed.ts'

export type Undo = () => Promise<unknown>

/** One reason, and the real cause that produces it. */
export interface ReasonCase {
  readonly state: string
  readonly code: string
  /** For the table: what is done to get there. */
  readonly cause: string
  /** What visitors of shop get. `page`: the service page. `nothing`: the gateway is stopped or cannot listen. */
  readonly visitor: 'page' | 'application' | 'nothing'
  /** The host whose page tells this reason, where it is not everybody's. */
  readonly host?: string
  /** Seconds of Retry-After; default 30, what the gateway says without a planned end. */
  readonly retryAfter?: readonly [number, number]
  /** Before the daemon starts. */
  plant(bed: Bed): Promise<Undo>
  /** Once everything runs. */
  act?(bed: Bed): Promise<Undo>
  command?: readonly string[]
  /** What the reason must contain as the person wrote it. */
  readonly says?: string
  /** No daemon is started: what is seen without one. */
  readonly alone?: boolean
  /** The daemon is busy and has not told yet. */
  readonly notYetInLog?: boolean
}

/** Ends the paragraph and starts a script, closes a comment, moves the cursor. */
export const HOSTILE = '</p><script>alert(1)</script> & "quotes" <!-- --> {{x}} Grüße'

export const nothing: Undo = async () => undefined

const aside = async (path: string, instead?: () => Promise<unknown>): Promise<Undo> => {
  await rename(path, `${path}.aside`)
  await instead?.()
  return async () => {
    await rm(path, { recursive: true, force: true })
    await rename(`${path}.aside`, path)
  }
}

const data = ({ appliance }: Bed) => join(appliance.state, 'data')

const breaks =
  (app: 'shop' | 'kiosk', fault: Parameters<Bed['shop']['break']>[0]) =>
  async (bed: Bed): Promise<Undo> => {
    await bed[app].break(fault)
    return () => bed[app].break('none')
  }

/** Without a last good config there is none in force. */
const unconfigured =
  (plant: (bed: Bed) => Promise<Undo>) =>
  async (bed: Bed): Promise<Undo> => {
    const undo = await plant(bed)
    const file = join(bed.appliance.state, 'last-good-config.json')
    const there = await readFile(file, 'utf8').catch(() => undefined)
    await rm(file, { force: true })
    return async () => {
      await undo()
      if (there !== undefined) await writeFile(file, there, { mode: 0o600 })
    }
  }

/** In this order: from an appliance that was never started to one that is taken down. */
export const CASES: readonly ReasonCase[] = [
  {
    state: 'stopped',
    code: 'NOT_STARTED',
    cause: 'the config was just created',
    visitor: 'nothing',
    alone: true,
    plant: async () => nothing,
  },
  {
    state: 'recovery-failed',
    code: 'RECOVERY_NOT_IN_THIS_VERSION',
    cause: '`recover.from_backup: true` in the config',
    visitor: 'page',
    plant: (bed) => bed.configure(['recover'], { from_backup: true }),
  },
  {
    state: 'starting',
    code: 'STARTING',
    cause: 'a start under way that waits for a migration',
    visitor: 'page',
    notYetInLog: true,
    plant: async (bed) => {
      await bed.configure(['applications', 'shop'], { source: bed.shop.folder, hosts: ['localhost'] })
      await bed.shop.break('migration-hangs')
      return () => bed.shop.break('none')
    },
  },
  {
    state: 'failed',
    code: 'MIGRATION_FAILED',
    cause: 'the only application fails at its migration',
    visitor: 'page',
    plant: breaks('shop', 'migration-fails'),
  },
  {
    state: 'running',
    code: 'OK',
    cause: 'every part serves',
    visitor: 'application',
    plant: async (bed) => {
      await bed.configure(['applications', 'kiosk'], { source: bed.kiosk.folder, hosts: ['kiosk.localhost'] })
      return nothing
    },
  },
  {
    state: 'degraded',
    code: 'SERVICE_CRASH_LOOP',
    cause: 'the worker of shop ends again and again; its web service does not',
    visitor: 'application',
    plant: async () => nothing,
    act: breaks('shop', 'worker-exits'),
  },
  {
    state: 'degraded',
    code: 'STORAGE_SPACE',
    cause: 'the data volume is over `storage.warn_percent`',
    visitor: 'application',
    plant: (bed) => bed.configure(['storage', 'warn_percent'], 1),
  },
  {
    state: 'degraded',
    code: 'SERVICE_CRASH_LOOP',
    cause: 'the only service of kiosk ends at every start; shop is not touched',
    visitor: 'application',
    host: 'kiosk.localhost',
    plant: breaks('kiosk', 'exits'),
  },
  {
    state: 'degraded',
    code: 'CONFIG_UNKNOWN_KEY',
    cause: 'a new config is not valid; the last good one stays in force',
    visitor: 'application',
    plant: (bed) => bed.configure(['colour'], 'blue'),
  },
  {
    state: 'degraded',
    code: 'JOURNAL_DAMAGED',
    cause: 'a line in the middle of a journal was changed',
    visitor: 'application',
    plant: async ({ appliance }) => {
      const path = join(appliance.state, 'operations', '20200101-000000-up-rotten.jsonl')
      await writeFile(path, 'what\nwas\nwritten\n')
      return () => rm(path)
    },
  },
  {
    state: 'degraded',
    code: 'JOB_FAILED',
    cause: 'the command of a job of shop ends with an error',
    visitor: 'application',
    plant: async () => nothing,
    act: async (bed) => {
      const mended = await breaks('shop', 'job-fails')(bed)
      await bed.appliance.run('job', 'run', 'shop.count')
      return async () => {
        await mended()
        await bed.appliance.ok('job', 'run', 'shop.count')
      }
    },
  },
  {
    state: 'degraded',
    code: 'STATE_DAMAGED',
    cause: 'the record of a process was damaged while it ran; the daemon has set it aside',
    visitor: 'application',
    plant: async () => nothing,
    act: async ({ appliance }) => {
      const record = join(appliance.state, 'processes', 'kiosk.web.json')
      await writeFile(record, '{"app":')
      await eventually('it is set aside', async () => (await stat(`${record}.damaged`)).isFile())
      return () => rm(`${record}.damaged`)
    },
  },
  {
    state: 'stopped',
    code: 'DAEMON_STOPPED',
    cause: 'the daemon was told to end (SIGTERM), and stopped everything',
    visitor: 'nothing',
    alone: true,
    plant: async ({ appliance }) => {
      const daemon = await appliance.daemon()
      const isUp = async () => (await appliance.json<{ state: string }>('status')).state === 'running'
      await eventually('all is up', isUp)
      await daemon.stop()
      return nothing
    },
  },
  {
    state: 'degraded',
    code: 'DAEMON_UNREACHABLE',
    cause: 'everything was started by `caretaker up`, and no daemon runs',
    visitor: 'application',
    alone: true,
    plant: async ({ appliance }) => {
      await appliance.ok('up')
      return nothing
    },
  },
  {
    state: 'standby',
    code: 'STANDBY',
    cause: '`standby: "…"` in the config',
    visitor: 'page',
    says: HOSTILE,
    plant: (bed) => bed.configure(['standby'], HOSTILE),
  },
  {
    state: 'manual-service',
    code: 'MANUAL_SERVICE',
    cause: '`caretaker service on "…" --until …`',
    visitor: 'page',
    says: HOSTILE,
    retryAfter: [3000, 3600],
    plant:
      async ({ appliance }) =>
      async () =>
        appliance.ok('service', 'off'),
    command: ['service', 'on', HOSTILE, '--until', new Date(Date.now() + 3_600_000).toISOString()],
  },
  {
    state: 'no-storage',
    code: 'STORAGE_ABSENT',
    cause: 'the data folder is gone',
    visitor: 'page',
    plant: (bed) => aside(data(bed)),
  },
  {
    state: 'no-storage',
    code: 'STORAGE_EMPTY',
    cause: 'the data folder is empty',
    visitor: 'page',
    plant: (bed) => aside(data(bed), () => mkdir(data(bed), { mode: 0o711 })),
  },
  {
    state: 'wrong-storage',
    code: 'STORAGE_FOREIGN',
    cause: 'the data folder of another appliance',
    visitor: 'page',
    plant: (bed) =>
      aside(data(bed), async () => {
        await mkdir(data(bed))
        const marker = { format: 1, appliance_id: 'of-somebody-else', created_at: '2026-01-01T00:00:00Z' }
        await writeFile(join(data(bed), 'caretaker.json'), JSON.stringify(marker))
      }),
  },
  {
    state: 'wrong-storage',
    code: 'STORAGE_OTHER_BACKEND',
    cause: 'the data folder was made by another storage back end',
    visitor: 'page',
    plant: async (bed) => {
      const path = join(data(bed), 'caretaker.json')
      const marker = await readFile(path, 'utf8')
      await writeFile(path, JSON.stringify({ ...JSON.parse(marker), backend: 'btrfs' }))
      return () => writeFile(path, marker)
    },
  },
  {
    state: 'wrong-storage',
    code: 'STORAGE_UNREADABLE',
    cause: 'the mark on the data volume is damaged',
    visitor: 'page',
    plant: (bed) =>
      aside(data(bed), async () => {
        await mkdir(data(bed))
        await writeFile(join(data(bed), 'caretaker.json'), '{"format":')
      }),
  },
  {
    state: 'failed',
    code: 'PORT_IN_USE',
    cause: 'another program listens on the port of the gateway',
    visitor: 'nothing',
    plant: async ({ appliance }) => {
      const other = createServer((socket) => socket.destroy())
      await new Promise<void>((resolve) => other.listen(appliance.port, '127.0.0.1', resolve))
      return () => new Promise((resolve) => other.close(resolve))
    },
  },
  {
    state: 'unconfigured',
    code: 'CONFIG_NOT_FOUND',
    cause: 'there is no config, nor a last good one',
    visitor: 'page',
    plant: unconfigured(({ configFile }) => aside(configFile)),
  },
  {
    state: 'unconfigured',
    code: 'CONFIG_UNKNOWN_KEY',
    cause: 'the config is not valid, and there is no last good one',
    visitor: 'page',
    plant: unconfigured((bed) => bed.configure(['colour'], 'blue')),
  },
  {
    state: 'unconfigured',
    code: 'CONFIG_PERMISSIONS',
    cause: 'others can read the config, and there is no last good one',
    visitor: 'page',
    plant: unconfigured(async ({ configFile }) => {
      await chmod(configFile, 0o644)
      return () => chmod(configFile, 0o600)
    }),
  },
  {
    state: 'unconfigured',
    code: 'SEAL_NO_IDENTITY',
    cause: 'the secrets of the config are sealed, and the identity is gone',
    visitor: 'page',
    plant: ({ appliance }) => aside(join(appliance.state, 'identity.txt')),
  },
  {
    state: 'stopped',
    code: 'STOPPED',
    cause: '`caretaker down`',
    visitor: 'nothing',
    plant: async () => nothing,
    command: ['down'],
  },
]
