import { readFile, truncate, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { Secret } from '@caretaker/kernel/secrets.ts'
import { HOUR_MS } from '@caretaker/kernel/time.ts'
import type { Ports } from '@caretaker/ports/ports.ts'
import { createJournal, journalPath } from '@caretaker/steps/journal.ts'
import { adminAddress } from '../app-database.ts'
import type { Surrounding } from '../appliance.ts'
import type { SeenDaemon } from '../doctor/finding.ts'
import { updateFacts } from '../facts.ts'
import { up } from '../up.ts'
import { certificateFaults } from './certificate-faults.fixture.ts'
import type { Lab } from './lab.fixture.ts'
import { leaveBehind } from './left-behind.fixture.ts'
import { changeMode, damage, type Mend, makeFolder, moveAway, plant } from './mendable.fixture.ts'
import { stateFileFaults } from './state-file-faults.fixture.ts'

/** What the doctor looks with, where that differs from the machine. */
export interface Eyes {
  readonly daemon?: SeenDaemon | undefined
  readonly ports?: Partial<Ports>
  readonly programs?: Partial<Surrounding['programs']>
}
type Planted = Mend | { readonly mend?: Mend; readonly eyes: Eyes }

/** What is wrong, the code of the finding, and how to plant it. */
export type Fault = readonly [string, string, () => Promise<Planted> | Planted]

export interface DoctorFolders {
  readonly data: string
  readonly run: string
  readonly volatile: string
  readonly logs: string
  readonly postgres: string
}

/** Everything that the doctor must find on an appliance with `shop`, which has a database, and `kiosk`. */
export function faultsOf(lab: Lab, folders: DoctorFolders): readonly Fault[] {
  const { data, run, volatile, logs, postgres } = folders
  const at = (...names: string[]) => join(lab.stateFolder, ...names)

  const clockAt = (shownMs: () => number) => ({
    eyes: { ports: { clock: { ...lab.clock, now: () => new Date(shownMs()) } } },
  })

  /** A machine without any tmpfs. */
  function allOnDisk(): Planted {
    const { files } = lab.ports
    const space = async (path: string) => ({ ...(await files.space(path)), inMemory: false })
    return { eyes: { ports: { files: { ...files, space } } } }
  }

  /** Space as a nearly full disk would report it, at one folder. */
  function spaceAt(
    folder: () => string,
    space: Partial<Awaited<ReturnType<Ports['files']['space']>>>,
  ): Planted {
    const { files } = lab.ports
    const narrow = async (path: string) => ({
      ...(await files.space(path)),
      ...(path === folder() ? space : {}),
    })
    return { eyes: { ports: { files: { ...files, space: narrow } } } }
  }

  async function listenOn(port: number): Promise<Mend> {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
    return () => new Promise((resolve) => server.close(resolve))
  }

  const stopped = async (app: string, service: string, work?: () => Promise<Mend>): Promise<Mend> => {
    const { runtime } = (await lab.open()).appliance
    await runtime.stop(app, service)
    const mend = await work?.()
    return async () => {
      await mend?.()
      const { appliance } = await lab.open()
      await up(appliance, { firstStart: false }, () => undefined, new AbortController().signal)
    }
  }

  const killed = async (app: string, service: string): Promise<Mend> => {
    const { runtime } = (await lab.open()).appliance
    const identity = (await runtime.status(app, service))?.identity
    if (!identity) throw new Error(`${service} of ${app} does not run`)
    await lab.ports.processes.signal(identity, 'SIGKILL')
    await lab.ports.processes.waitForExit(identity)
    return async () => {
      const { appliance } = await lab.open()
      await up(appliance, { firstStart: false }, () => undefined, new AbortController().signal)
    }
  }

  const factsWith = async (change: Parameters<typeof updateFacts>[2]): Promise<Mend> => {
    const mend = await damage(at('facts.json'), await readFile(at('facts.json'), 'utf8'))
    await updateFacts(lab.ports.files, lab.stateFolder, change)
    return mend
  }

  async function configured(path: readonly string[], value: unknown): Promise<Mend> {
    const inForce = at('last-good-config.json')
    const mends = await Promise.all(
      [lab.configFile, inForce].map(async (file) => damage(file, await readFile(file, 'utf8'))),
    )
    await lab.configure(path, value)
    return async () => {
      for (const mend of mends) await mend()
    }
  }

  const journal = () => journalPath(lab.stateFolder, '20261120-093000-up-test')
  async function unfinished(): Promise<Mend> {
    const plan = { name: 'up', purpose: 'start the appliance', onFailure: 'stop' as const, steps: [] }
    await createJournal(lab.ports.files, journal(), {
      type: 'planned',
      at: lab.clock.now().toISOString(),
      operation: '20261120-093000-up-test',
      actor: lab.around.actor,
      plan,
    } as never)
    return () => lab.ports.files.remove(journal())
  }

  const record = (app: string) => at('apps', `${app}.json`)
  const release = async (app: string) => {
    const { releaseId } = JSON.parse(await readFile(record(app), 'utf8'))
    return at('releases', app, releaseId)
  }

  return [
    [
      'config with an unknown key, the last good one in force',
      'CONFIG_UNKNOWN_KEY',
      () => configured(['colour'], 'blue'),
    ],
    ['config that others can read', 'CONFIG_PERMISSIONS', () => changeMode(lab.configFile, 0o644)],
    [
      'no config at all',
      'CONFIG_NOT_FOUND',
      async () => {
        const mends = [await moveAway(lab.configFile), await moveAway(at('last-good-config.json'))]
        return async () => {
          for (const mend of mends) await mend()
        }
      },
    ],
    [
      'config that asks for a recovery',
      'RECOVERY_NOT_IN_THIS_VERSION',
      () => configured(['recover'], { from_backup: true }),
    ],
    ['identity gone', 'SEAL_NO_IDENTITY', () => damage(at('identity.txt'), undefined)],
    [
      'identity of another',
      'SEAL_WRONG_IDENTITY',
      () => damage(at('identity.txt'), 'AGE-SECRET-KEY-1OTHER\n'),
    ],
    ['seal gone', 'SEAL_BROKEN', () => damage(at('seal.age'), undefined)],
    ['state folder that others can change', 'PERMISSIONS_OPEN', () => changeMode(lab.stateFolder, 0o777)],
    ['run folder that others can change', 'PERMISSIONS_OPEN', () => changeMode(run, 0o733)],
    ['passwords that others can read', 'PERMISSIONS_OPEN', () => changeMode(at('secrets.json'), 0o644)],
    [
      'key of a certificate that others can read',
      'PERMISSIONS_OPEN',
      () => changeMode(at('certificates', 'app-shop.key'), 0o640),
    ],
    ['clock of 2020', 'CLOCK_WRONG', () => clockAt(() => Date.UTC(2020, 1, 1))],
    ['clock behind the files', 'CLOCK_WRONG', () => clockAt(() => Date.now() - 3 * HOUR_MS)],
    ['clock set ahead while services run', 'CLOCK_JUMPED', () => clockAt(() => Date.now() + 3 * HOUR_MS)],
    [
      'state folder without room',
      'DISK_FULL',
      () => spaceAt(() => lab.stateFolder, { availableBytes: 1000 }),
    ],
    ['ballast given up', 'DISK_FULL', () => moveAway(at('ballast', '00'))],
    ['no place in memory for secret files', 'SECRETS_ON_DISK', allOnDisk],
    ['data volume without room', 'DISK_FULL', () => spaceAt(() => data, { availableBytes: 1000 })],
    ['volatile volume without room', 'DISK_FULL', () => spaceAt(() => volatile, { availableBytes: 1000 })],
    [
      'file system without room for files',
      'INODES_LOW',
      () => spaceAt(() => lab.stateFolder, { totalFiles: 1000, availableFiles: 3 }),
    ],
    [
      'data volume over its warning line',
      'STORAGE_SPACE',
      () => spaceAt(() => data, { totalBytes: 1e12, availableBytes: 1e11 }),
    ],
    ...stateFileFaults(lab),
    ['release gone', 'RELEASE_MISSING', async () => moveAway(await release('kiosk'))],
    ['data volume gone', 'STORAGE_ABSENT', () => moveAway(data)],
    [
      'data volume emptied',
      'STORAGE_EMPTY',
      async () => {
        const mend = await moveAway(data)
        await makeFolder(data)
        return mend
      },
    ],
    [
      'data volume of another appliance',
      'STORAGE_FOREIGN',
      async () => {
        const marker = JSON.parse(await readFile(join(data, 'caretaker.json'), 'utf8'))
        return damage(join(data, 'caretaker.json'), JSON.stringify({ ...marker, appliance_id: 'other' }))
      },
    ],
    [
      'data volume of another back end',
      'STORAGE_OTHER_BACKEND',
      async () => {
        const marker = JSON.parse(await readFile(join(data, 'caretaker.json'), 'utf8'))
        return damage(join(data, 'caretaker.json'), JSON.stringify({ ...marker, backend: 'btrfs' }))
      },
    ],
    [
      'damaged mark of the data volume',
      'STORAGE_UNREADABLE',
      () => damage(join(data, 'caretaker.json'), '{'),
    ],
    [
      'data of one application gone',
      'DATABASE_ABSENT',
      async () => moveAway(dirname((await lab.open()).appliance.storage.unitPath('kiosk'))),
    ],
    [
      'log that nobody sets aside',
      'LOGS_TOO_LARGE',
      async () => {
        const mend = await plant(join(logs, 'kiosk', 'flood.log'), '')
        await truncate(join(logs, 'kiosk', 'flood.log'), 30 * 1024 * 1024)
        return mend
      },
    ],
    ['unfinished operation', 'OPERATION_UNFINISHED', unfinished],
    [
      'journal damaged in the middle',
      'JOURNAL_DAMAGED',
      async () => {
        await writeFile(journal(), 'not\nwhat\nwas written\n')
        return () => lab.ports.files.remove(journal())
      },
    ],
    ['Node gone', 'COMMAND_NOT_FOUND', () => ({ eyes: { programs: { folder: '/nonexistent' } } })],
    [
      'another Postgres than there is',
      'POSTGRES_MAJOR_MISSING',
      () => configured(['postgres'], { major: 16 }),
    ],
    [
      'port taken while the gateway is down',
      'PORT_IN_USE',
      () => stopped('-', 'gateway', () => listenOn(lab.httpsPort)),
    ],
    ['gateway killed', 'GATEWAY_UNREACHABLE', () => killed('-', 'gateway')],
    ...certificateFaults(lab),
    [
      'host name that leads elsewhere',
      'NAME_ELSEWHERE',
      () => ({ eyes: { ports: { network: { ...lab.ports.network, resolve: async () => ['192.0.2.7'] } } } }),
    ],
    [
      'time zone that the machine does not know',
      'TIME_ZONE_MISSING',
      async () => {
        const { files } = lab.ports
        const without = (path: string) =>
          path.startsWith('/usr/share/zoneinfo') ? Promise.resolve(undefined) : files.stat(path)
        return {
          mend: await configured(['identity', 'time_zone'], 'Europe/Vienna'),
          eyes: { ports: { files: { ...files, stat: without } } },
        }
      },
    ],
    ['no daemon', 'DAEMON_UNREACHABLE', () => ({ eyes: { daemon: undefined } })],
    [
      'daemon of another version',
      'DAEMON_OTHER_VERSION',
      () => ({ eyes: { daemon: { pid: 1, version: '0.0.9' } } }),
    ],
    ['service killed', 'SERVICE_START_FAILED', () => killed('kiosk', 'web')],
    [
      'service that is not healthy',
      'SERVICE_UNHEALTHY',
      async () => {
        await lab.apps['kiosk']?.break('unhealthy')
        return () => lab.apps['kiosk']?.break('none') as Promise<void>
      },
    ],
    [
      'service in a crash loop',
      'SERVICE_CRASH_LOOP',
      () =>
        factsWith(() => ({
          failures: {
            kiosk: {
              code: 'SERVICE_CRASH_LOOP',
              what: 'web does not stay up',
              why: 'it ended',
              next: 'caretaker logs kiosk web',
              exit_code: 5,
              since: '2026-11-20T09:00:00Z',
            },
          },
        })),
    ],
    [
      'process that nobody remembers',
      'PROCESS_LEFTOVER',
      () => damage(at('processes', 'kiosk.web.json'), undefined),
    ],
    // An ordinary user has processes of their own, which nobody asks after.
    ...(process.getuid?.() === 0
      ? [['process that a service has left behind', 'PROCESS_LEFTOVER', () => leaveBehind(lab)] as const]
      : []),
    ['Postgres killed', 'SERVICE_START_FAILED', () => killed('shop', 'postgres')],
    [
      'Postgres that knows another password',
      'POSTGRES_UNREACHABLE',
      async () => {
        const { appliance } = await lab.open()
        const admin = await adminAddress(appliance, 'shop')
        const say = (password: string, known: Secret) =>
          lab.ports.databases.withSession({ ...admin, password: known }, { timeoutMs: 5000 }, (session) =>
            session.query(`ALTER ROLE ${admin.user} PASSWORD '${password}'`),
          )
        await say('other', admin.password as Secret)
        return () => say((admin.password as Secret).reveal(), new Secret('other', 'other'))
      },
    ],
    ['data of another major', 'POSTGRES_MAJOR_MISMATCH', () => damage(join(postgres, 'PG_VERSION'), '15\n')],
    ['data that is no database', 'DATABASE_ABSENT', () => damage(join(postgres, 'PG_VERSION'), undefined)],
    [
      'damaged pages in the database',
      'POSTGRES_DATA_DAMAGED',
      async () => {
        const log = join(logs, 'shop', 'postgres.log')
        const line =
          '2026-11-20 09:00:00 UTC [1] WARNING:  page verification failed, calculated checksum 1 but expected 2\n'
        return damage(log, (await readFile(log, 'utf8')) + line)
      },
    ],
    [
      'planned end that has passed',
      'SERVICE_MODE',
      () =>
        factsWith(() => ({
          manual: { reason: 'moving', since: '2026-11-20T08:00:00Z', until: '2026-11-20T09:00:00Z' },
        })),
    ],
  ]
}
