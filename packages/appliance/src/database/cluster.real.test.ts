import { fileURLToPath } from 'node:url'
import { generatePassword } from '@caretaker/kernel/ids.ts'
import { Secret } from '@caretaker/kernel/secrets.ts'
import { runToSuccess } from '@caretaker/ports/command.ts'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { appAddress, databaseUrl, superuserAddress } from './address.ts'
import { type Cluster, socketPath } from './cluster.ts'
import { checkPostgres } from './health.ts'
import { openPostgresLab, type PostgresLab } from './postgres.fixture.ts'
import { findPostgresPrograms } from './programs.ts'
import { checkpoint, createDatabase, ensureRole, hasDatabase, rotatePassword } from './roles.ts'
import { startCluster } from './start.ts'
import { stopCluster } from './stop.ts'
import { resetSuperuserPassword } from './superuser.ts'

let lab: PostgresLab
let clusters = 0

beforeAll(async () => {
  lab = await openPostgresLab([15, 17, 18])
})
afterAll(async () => lab[Symbol.asyncDispose]())

/** A new cluster in a unit folder of its own, as a back end would make it. */
async function newCluster(major: 15 | 17 | 18 = 17): Promise<Cluster> {
  const unit = `${lab.folder}/unit-${++clusters}`
  await lab.ports.files.makeFolder(unit, 0o711)
  const cluster = lab.cluster(`${unit}/postgres`, { major })
  await lab.create(cluster)
  return cluster
}

/** Role and database of the application, as the first start makes them. */
async function withApp(cluster: Cluster) {
  const { databases } = lab.ports
  const app = appAddress(cluster, lab.appPassword)
  await ensureRole(databases, lab.superuser(cluster), app)
  await createDatabase(databases, lab.superuser(cluster), app)
  return app
}

const ask = <Row>(
  address: Parameters<typeof checkPostgres>[1],
  sql: string,
  values: readonly unknown[] = [],
) =>
  lab.ports.databases.withSession(address, { timeoutMs: 60_000 }, (session) =>
    session.query<Row>(sql, values),
  )

describe.each([15, 17, 18] as const)('Postgres %i', (major) => {
  test('starts, sorts by code point, verifies its pages, and stops cleanly', async () => {
    const cluster = await newCluster(major)
    const identity = await lab.start(cluster)
    const app = await withApp(cluster)
    const [facts] = await ask(
      app,
      `SELECT current_setting('server_version_num')::int / 10000 AS major,
              current_setting('data_checksums') AS checksums,
              current_setting('listen_addresses') AS listens,
              (SELECT string_agg(word, '' ORDER BY word) FROM (VALUES ('a'), ('B'), ('ä'), ('Z')) AS words(word)) AS sorted,
              upper('ä') AS upper, current_setting('default_text_search_config') AS search`,
    )
    expect(facts).toEqual({
      major,
      checksums: 'on',
      listens: '',
      sorted: 'BZaä',
      upper: 'Ä',
      search: 'pg_catalog.english',
    })
    expect(await stopCluster(lab.ports, identity)).toBe('clean')
    expect(await stopCluster(lab.ports, identity)).toBe('gone')
  })
})

describe('the role of an application', () => {
  test('owns its database, is no superuser, and nothing changes when all is well', async () => {
    const cluster = await newCluster()
    await lab.start(cluster)
    const app = await withApp(cluster)
    const superuser = lab.superuser(cluster)
    expect(await ensureRole(lab.ports.databases, superuser, app)).toBe(false)
    await ask(app, 'CREATE TABLE entry (id int PRIMARY KEY)')
    for (const sql of ['CREATE ROLE other', 'CREATE DATABASE other', 'CHECKPOINT']) {
      await expect(ask(app, sql)).rejects.toMatchObject({ sqlState: '42501' })
    }
    expect(await hasDatabase(lab.ports.databases, superuser, 'guestbook')).toBe(true)
    expect(await hasDatabase(lab.ports.databases, superuser, 'other')).toBe(false)
    await createDatabase(lab.ports.databases, superuser, app)
    expect(await ask(app, 'SELECT count(*)::int AS n FROM entry')).toEqual([{ n: 0 }])
  })

  test('gets a new password: the old one is refused, the new one serves, neither is in the log', async () => {
    const cluster = await newCluster()
    await lab.start(cluster)
    const app = await withApp(cluster)
    const password = new Secret('rotated', generatePassword())
    await ask(lab.superuser(cluster), `ALTER SYSTEM SET log_statement = 'all'`)
    await ask(lab.superuser(cluster), 'SELECT pg_reload_conf()')
    await rotatePassword(lab.ports.databases, lab.superuser(cluster), app.user, password)
    expect(await checkPostgres(lab.ports.databases, app)).toMatchObject({ state: 'refusing' })
    expect(await checkPostgres(lab.ports.databases, { ...app, password })).toEqual({ state: 'ready' })
    expect(await ensureRole(lab.ports.databases, lab.superuser(cluster), app)).toBe(true)
    expect(await checkPostgres(lab.ports.databases, app)).toEqual({ state: 'ready' })
    const log = (await lab.ports.files.readText(cluster.logFile)) ?? ''
    for (const secret of [password, lab.appPassword, lab.superuserPassword]) {
      expect(log.includes(secret.reveal())).toBe(false)
    }
    const left = (await lab.ports.files.list(cluster.runFolder)) ?? []
    expect(left.filter((entry) => !entry.name.startsWith('.s.PGSQL'))).toEqual([])
  })

  test('reaches its database by DATABASE_URL with a common driver', async () => {
    const cluster = await newCluster()
    await lab.start(cluster)
    const url = databaseUrl(await withApp(cluster))
    const script = `import pg from 'pg'
      const client = new pg.Client(process.env.DATABASE_URL)
      await client.connect()
      console.log((await client.query('SELECT current_user || current_database() AS who')).rows[0].who)
      await client.end()`
    const { stdout } = await runToSuccess(lab.ports.processes, {
      file: process.execPath,
      args: ['--input-type=module', '-e', script],
      cwd: fileURLToPath(new URL('../../../host', import.meta.url)),
      env: { DATABASE_URL: url },
      timeoutMs: 60_000,
    })
    expect(stdout.trim()).toBe('guestbookguestbook')
  })
})

describe('after a crash', () => {
  test('every acknowledged row is there, at once after a kill', async () => {
    const cluster = await newCluster()
    let identity = await lab.start(cluster)
    const app = await withApp(cluster)
    await ask(app, 'CREATE TABLE entry (id int PRIMARY KEY)')
    let acknowledged = 0
    for (let round = 0; round < 3; round++) {
      await lab.ports.databases.withSession(app, { timeoutMs: 60_000 }, async (session) => {
        for (let i = 0; i < 200; i++) {
          await session.query('INSERT INTO entry VALUES ($1)', [acknowledged + 1])
          acknowledged++
        }
        await lab.ports.processes.signal(identity, 'SIGKILL')
      })
      await lab.ports.processes.waitForExit(identity)
      identity = await lab.start(cluster)
      const [row] = await ask<{ n: number }>(app, 'SELECT count(*)::int AS n FROM entry')
      expect(row?.n).toBe(acknowledged)
    }
  })

  test('a lock whose pid another process of the same user has by now does not stop the start', async () => {
    const cluster = await newCluster()
    const other = await lab.ports.processes.start({
      file: '/bin/sleep',
      args: ['300'],
      logFile: `${lab.folder}/sleep.log`,
      cwd: '/',
      label: cluster.label,
      ...(lab.owner ? { owner: lab.owner } : {}),
    })
    await lab.ports.files.write(
      `${cluster.dataFolder}/postmaster.pid`,
      `${other.pid}\n${cluster.dataFolder}\n`,
      0o600,
    )
    await lab.ports.files.makeFolder(cluster.runFolder, 0o700)
    await lab.ports.files.write(`${socketPath(cluster.runFolder)}.lock`, `${other.pid}\n`, 0o600)
    if (lab.owner) await lab.ports.files.setOwner(cluster.dataFolder, lab.owner)
    const identity = await lab.start(cluster)
    expect(await checkPostgres(lab.ports.databases, lab.superuser(cluster))).toEqual({ state: 'ready' })
    await lab.stop(identity)
    await lab.ports.processes.signal(other, 'SIGKILL')
  })

  test('a server that does run on the data is not joined by a second one', async () => {
    const cluster = await newCluster()
    const identity = await lab.start(cluster)
    const second = { ...cluster, runFolder: `${cluster.runFolder}-second` }
    await expect(lab.start(second)).rejects.toMatchObject({
      code: 'POSTGRES_START_FAILED',
      why: expect.stringContaining(`process ${identity.pid} runs on`),
    })
    expect(await checkPostgres(lab.ports.databases, lab.superuser(cluster))).toEqual({ state: 'ready' })
  })

  test('nor is one whose lock names a process of elsewhere, as that of a server in a container does', async () => {
    const cluster = await newCluster()
    const identity = await lab.start(cluster)
    const lock = `${cluster.dataFolder}/postmaster.pid`
    const text = (await lab.ports.files.readText(lock)) ?? ''
    await lab.ports.files.write(lock, text.replace(/^\d+/, '1'), 0o600)
    await expect(lab.start({ ...cluster, runFolder: `${cluster.runFolder}-other` })).rejects.toMatchObject({
      code: 'POSTGRES_START_FAILED',
      why: expect.stringContaining('runs on'),
    })
    expect(await lab.ports.processes.isAlive(identity)).toBe(true)
    expect(await checkPostgres(lab.ports.databases, lab.superuser(cluster))).toEqual({ state: 'ready' })
  })

  test('a checkpoint leaves the recovery little to do', async () => {
    const cluster = await newCluster()
    await lab.start(cluster)
    const before = await ask<{ lsn: string }>(
      lab.superuser(cluster),
      'SELECT redo_lsn AS lsn FROM pg_control_checkpoint()',
    )
    await ask(lab.superuser(cluster), 'CREATE TABLE entry AS SELECT generate_series(1, 1000) AS id')
    await checkpoint(lab.ports.databases, lab.superuser(cluster))
    const after = await ask<{ lsn: string }>(
      lab.superuser(cluster),
      'SELECT redo_lsn AS lsn FROM pg_control_checkpoint()',
    )
    expect(after).not.toEqual(before)
  })
})

test('a server that cannot stop cleanly in time is told to stop at once, and loses nothing', async () => {
  const cluster = await newCluster()
  const identity = await lab.start(cluster)
  const app = await withApp(cluster)
  await lab.ports.databases.withSession(app, { timeoutMs: 60_000 }, async (session) => {
    await session.query('CREATE TABLE entry AS SELECT 1 AS id')
    const [row] = await session.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')
    // A session that reacts to nothing.
    const freeze = { file: '/bin/kill', args: ['-STOP', String(row?.pid)], timeoutMs: 60_000 }
    await runToSuccess(lab.ports.processes, freeze)
    expect(await stopCluster(lab.ports, identity, 500)).toBe('immediate')
  })
  await lab.start(cluster)
  expect(await ask(app, 'SELECT id FROM entry')).toEqual([{ id: 1 }])
})

describe('what is refused', () => {
  test('data of another major names both and the way back', async () => {
    const cluster = { ...(await newCluster(15)), major: 17 as const }
    await expect(lab.start(cluster)).rejects.toMatchObject({
      code: 'POSTGRES_MAJOR_MISMATCH',
      why: expect.stringMatching(/Postgres 15.*asks for 17/),
      next: expect.stringContaining('postgres.major back to 15'),
    })
    await expect(lab.create(cluster)).rejects.toMatchObject({ code: 'POSTGRES_MAJOR_MISMATCH' })
  })

  test('an absent or empty data folder is said, and no new database is made in its place', async () => {
    const cluster = await newCluster()
    const { files } = lab.ports
    await files.remove(cluster.dataFolder)
    await expect(lab.start(cluster)).rejects.toMatchObject({ code: 'DATABASE_ABSENT' })
    await files.makeFolder(cluster.dataFolder, 0o700)
    await expect(lab.start(cluster)).rejects.toMatchObject({
      code: 'DATABASE_ABSENT',
      why: expect.stringContaining('is empty'),
    })
    expect(await files.list(cluster.dataFolder)).toEqual([])
  })

  test('a major without binaries names those that are there', async () => {
    await expect(findPostgresPrograms(lab.ports.files, lab.programsFolder, 16)).rejects.toMatchObject({
      code: 'POSTGRES_MAJOR_MISSING',
      why: expect.stringContaining('15, 17, 18'),
    })
  })

  test('a server that does not start says the end of its log', async () => {
    const cluster = await newCluster()
    await lab.ports.files.write(`${cluster.dataFolder}/postgresql.conf`, 'no_such_setting = on\n')
    await expect(lab.start(cluster)).rejects.toMatchObject({
      code: 'POSTGRES_START_FAILED',
      why: expect.stringContaining('no_such_setting'),
    })
  })

  test('a wrong superuser password says so, stops the server, and can be reset', async () => {
    const cluster = await newCluster()
    const programs = await findPostgresPrograms(lab.ports.files, lab.programsFolder, 17)
    const password = new Secret('other', generatePassword())
    const address = superuserAddress(cluster, password)
    await expect(
      startCluster(lab.ports, programs, cluster, address, { timeoutMs: 60_000 }),
    ).rejects.toMatchObject({
      code: 'POSTGRES_START_FAILED',
      why: expect.stringContaining('password authentication failed'),
    })
    await resetSuperuserPassword(lab.ports, programs, cluster, password)
    const identity = await startCluster(lab.ports, programs, cluster, address, { timeoutMs: 60_000 })
    expect(await stopCluster(lab.ports, identity)).toBe('clean')
  })
})

test('an interrupted creation leaves nothing that is taken for a cluster', async () => {
  const cluster = await newCluster()
  const { files } = lab.ports
  await files.rename(cluster.dataFolder, `${cluster.dataFolder}.partial`)
  await expect(lab.start(cluster)).rejects.toMatchObject({ code: 'DATABASE_ABSENT' })
  await lab.create(cluster)
  await lab.create(cluster)
  expect(await checkPostgres(lab.ports.databases, lab.superuser(cluster))).toMatchObject({
    state: 'unreachable',
  })
  await lab.start(cluster)
  expect(await files.stat(`${cluster.dataFolder}.partial`)).toBeUndefined()
})
