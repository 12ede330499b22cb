import { execFileSync } from 'node:child_process'
import { chmod, chown, mkdir, readFile, rename, rm, stat, statfs, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { AppError } from '@caretaker/kernel/errors.ts'
import { DAY_MS } from '@caretaker/kernel/time.ts'
import { listOperations } from '@caretaker/steps/operations.ts'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { postgresPrograms } from './app-database.ts'
import { appFolders } from './app-files.ts'
import { status } from './status.ts'
import { type Lab, openLab } from './testing/lab.fixture.ts'
import { damage, type Mend } from './testing/mendable.fixture.ts'
import { up } from './up.ts'

const never = new AbortController().signal
const isRoot = process.getuid?.() === 0

/** What `up` says: its errors, or the one it throws. */
async function bringUp(lab: Lab) {
  try {
    return (await up((await lab.open()).appliance, { firstStart: false }, () => undefined, never)).errors
  } catch (error) {
    return [(error as AppError).toReport()]
  }
}

const stateOf = async (lab: Lab) => status((await lab.open()).appliance, process.pid)
const filesOf = async (lab: Lab) => (JSON.parse((await lab.get('shop')).body) as { files: string[] }).files

describe('a Postgres that cannot start', () => {
  let lab: Lab
  let data: string
  beforeAll(async () => {
    lab = await openLab({ shop: { database: true } })
    expect(await bringUp(lab)).toEqual([])
    await lab.get('shop', '/letter', 'POST')
    data = join((await lab.open()).appliance.storage.unitPath('shop'), 'postgres')
  })
  afterAll(() => lab?.[Symbol.asyncDispose]())

  const CAUSES: readonly [string, string, RegExp, () => Promise<Mend>][] = [
    [
      'PG_VERSION of another major',
      'POSTGRES_MAJOR_MISMATCH',
      /by Postgres 16/,
      () => damage(join(data, 'PG_VERSION'), '16\n'),
    ],
    [
      'damaged PG_VERSION',
      'POSTGRES_MAJOR_MISMATCH',
      /PG_VERSION is damaged/,
      () => damage(join(data, 'PG_VERSION'), '\u0001\n'),
    ],
    [
      'PG_VERSION gone',
      'DATABASE_ABSENT',
      /no PG_VERSION/,
      () => damage(join(data, 'PG_VERSION'), undefined),
    ],
    [
      'pg_control gone',
      'POSTGRES_START_FAILED',
      /pg_control/,
      async () => {
        const path = join(data, 'global', 'pg_control')
        await rename(path, `${path}.aside`)
        return () => rename(`${path}.aside`, path)
      },
    ],
    [
      'pg_control overwritten',
      'POSTGRES_START_FAILED',
      /pg_control|control file/,
      () => damage(join(data, 'global', 'pg_control'), 'not what Postgres has written'),
    ],
    [
      'postgresql.conf overwritten',
      'POSTGRES_START_FAILED',
      /postgresql\.conf/,
      () => damage(join(data, 'postgresql.conf'), 'shared_buffers = many\n\u0001\n'),
    ],
    [
      'pg_hba.conf overwritten',
      'POSTGRES_START_FAILED',
      /pg_hba\.conf/,
      () => damage(join(data, 'pg_hba.conf'), 'whoever comes in\n'),
    ],
    [
      'a file where its socket folder should be',
      'POSTGRES_START_FAILED',
      /is a file/,
      async () => {
        const { socket } = appFolders((await lab.open()).appliance, 'shop')
        await rm(socket, { recursive: true })
        await writeFile(socket, '')
        return () => rm(socket)
      },
    ],
    [
      'its programs gone',
      'POSTGRES_MAJOR_MISSING',
      /does not hold its binaries/,
      async () => {
        const folder = (await postgresPrograms((await lab.open()).appliance)).postgres.replace(
          /\/bin\/[^/]+$/,
          '',
        )
        const programs = [folder, join(lab.folder, 'programs', 'postgres-17')]
        const there = [...new Set(programs)]
        for (const path of there) await rename(path, `${path}.aside`)
        return async () => {
          for (const path of there) await rename(`${path}.aside`, path)
        }
      },
    ],
    [
      'data folder that others can read',
      'POSTGRES_START_FAILED',
      /open to others \(mode 755\)/,
      async () => {
        await chmod(data, 0o755)
        return () => chmod(data, 0o700)
      },
    ],
    [
      'its folder emptied',
      'DATABASE_ABSENT',
      /is empty/,
      async () => {
        await rename(data, `${data}.aside`)
        await mkdir(data, { mode: 0o700 })
        return async () => {
          await rm(data, { recursive: true })
          await rename(`${data}.aside`, data)
        }
      },
    ],
  ]

  const OF_ROOT: typeof CAUSES = [
    [
      'data folder of another user',
      'POSTGRES_START_FAILED',
      /belongs to user 0/,
      async () => {
        const { uid, gid } = await stat(data)
        await chown(data, 0, 0)
        return () => chown(data, uid, gid)
      },
    ],
  ]

  it.each([...CAUSES, ...(isRoot ? OF_ROOT : [])])(
    '%s: %s, nothing is made anew, and mended it serves',
    async (_name, code, why, plant) => {
      const { runtime } = (await lab.open()).appliance
      await runtime.stop('shop', 'postgres')
      const mend = await plant()
      const errors = await bringUp(lab)
      expect(errors).toMatchObject([{ code, why: expect.stringMatching(why) as unknown }])
      expect(errors[0]?.next).toMatch(/caretaker|config|backup|"/)
      expect(await stateOf(lab)).toMatchObject({ parts: [{ part: 'shop', code }] })
      await mend()
      expect(await bringUp(lab)).toEqual([])
      expect(await filesOf(lab)).toEqual(['letter'])
      expect(await stateOf(lab)).toMatchObject({ state: 'running' })
    },
  )
})

describe('what a start of Postgres puts right by itself', () => {
  it('a socket folder that is gone or cannot be written, and the lock of a process that is none of it', async () => {
    await using lab = await openLab({ shop: { database: true } })
    expect(await bringUp(lab)).toEqual([])
    const { appliance } = await lab.open()
    const { socket, postgres } = appFolders(appliance, 'shop')
    const other = await lab.ports.processes.start({
      file: '/bin/sleep',
      args: ['300'],
      logFile: join(lab.folder, 'sleep.log'),
      cwd: '/',
      label: { appliance: appliance.config.id, app: 'none', service: 'sleep' },
      ...(appliance.serviceUser ? { owner: appliance.serviceUser } : {}),
    })
    const ways: readonly (() => Promise<unknown>)[] = [
      () => rm(socket, { recursive: true }),
      () => chmod(socket, 0o500),
      () => writeFile(join(postgres, 'postmaster.pid'), `${other.pid}\n${postgres}\n`, { mode: 0o644 }),
    ]
    for (const spoil of ways) {
      await appliance.runtime.stop('shop', 'postgres')
      await spoil()
      expect(await bringUp(lab)).toEqual([])
      expect((await lab.get('shop')).status).toBe(200)
    }
    await lab.ports.processes.signal(other, 'SIGKILL')
  })
})

describe('a clock that jumps', () => {
  it('ahead over the end of the certificates and back again: they are made anew, and it serves', async () => {
    await using lab = await openLab({ shop: {} })
    expect(await bringUp(lab)).toEqual([])
    for (const aheadMs of [500 * DAY_MS, 0, -30 * DAY_MS]) {
      lab.clock.aheadMs = aheadMs
      expect(await bringUp(lab)).toEqual([])
      expect((await lab.getUnverified('shop')).status).toBe(200)
      expect(await stateOf(lab)).toMatchObject({ state: 'running' })
    }
  })
})

describe('journals', () => {
  it('a torn last line is cut off and gone on with; a line in the middle is told and stops nothing', async () => {
    await using lab = await openLab({ shop: {} })
    expect(await bringUp(lab)).toEqual([])
    const { files } = lab.ports
    const newest = (await listOperations(files, lab.stateFolder))[0]?.operation
    const path = join(lab.stateFolder, 'operations', `${newest}.jsonl`)
    const text = await readFile(path, 'utf8')
    await writeFile(path, text.slice(0, -20))
    expect((await listOperations(files, lab.stateFolder))[0]?.state).toBe('unfinished')
    expect(await bringUp(lab)).toEqual([])
    expect((await listOperations(files, lab.stateFolder)).map(({ state }) => state)).not.toContain(
      'unfinished',
    )
    await writeFile(path, text.replace('\n', 'x\n'))
    expect(await bringUp(lab)).toEqual([])
    expect((await lab.get('shop')).status).toBe(200)
    expect(await stateOf(lab)).toMatchObject({ state: 'degraded', code: 'JOURNAL_DAMAGED' })
  })
})

describe.skipIf(!isRoot)('a full disk (needs root, for a file system of its own)', () => {
  it('while it runs and at a start: said as it is, what was written stays, with room again it serves', async () => {
    await using lab = await openLab({ shop: { database: true } })
    const disk = join(lab.folder, 'disk')
    await mkdir(disk, { mode: 0o755 })
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=160m,mode=755', 'none', disk])
    try {
      await lab.configure(['storage', 'data'], join(disk, 'data'))
      const filler = join(disk, 'filler')
      const fill = async () => {
        const { bavail, bsize } = await statfs(disk)
        await writeFile(filler, Buffer.alloc(bavail * bsize)).catch(() => undefined)
      }
      await fill()
      const first = await bringUp(lab)
      expect(first.map(({ code }) => code)).toEqual(['DISK_FULL'])
      await rm(filler)
      expect(await bringUp(lab)).toEqual([])
      await lab.get('shop', '/letter', 'POST')
      await fill()
      const { runtime } = (await lab.open()).appliance
      for (const service of ['web', 'postgres']) await runtime.stop('shop', service)
      const stuck = await bringUp(lab)
      expect(stuck.map(({ code }) => code)).toEqual(['DISK_FULL'])
      expect(stuck[0]?.why).toContain(`on the file system ${disk}`)
      expect(stuck[0]?.next).toContain(`du -xh ${disk} `)
      await rm(filler)
      expect(await bringUp(lab)).toEqual([])
      expect(await filesOf(lab)).toEqual(['letter'])
      const { appliance } = await lab.open()
      for (const service of ['web', 'postgres']) await appliance.runtime.stop('shop', service)
    } finally {
      execFileSync('umount', ['-l', disk])
    }
  })
})
