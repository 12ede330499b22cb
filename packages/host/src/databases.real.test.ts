import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Secret } from '@caretaker/kernel/secrets.ts'
import { runToSuccess } from '@caretaker/ports/command.ts'
import { type DatabaseAddress, DatabaseError } from '@caretaker/ports/database.ts'
import { waitUntil } from '@caretaker/ports/deadline.ts'
import type { ProcessIdentity } from '@caretaker/ports/process.ts'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { stagePostgres } from '../../../scripts/stage-postgres.mjs'
import { createHost } from './host.ts'

const { files, processes, machine, databases, clock } = createHost()
const PATH = '/usr/local/bin:/usr/bin:/bin'
const password = new Secret('postgres-password', 'only-for-this-test')
const folder = mkdtempSync(join(tmpdir(), 'ct-db-'))
let server: ProcessIdentity
let address: DatabaseAddress

/** A Postgres of its own, from the binaries the program carries; as root it runs as "nobody", for it refuses root. */
beforeAll(async () => {
  const packages = fileURLToPath(new URL('../../../apps/caretaker/node_modules', import.meta.url))
  const programs = join(folder, 'programs')
  await stagePostgres(join(packages, `postgres-17-linux-${process.arch}`), programs)
  const user = machine.user()
  const owner = user.uid === 0 ? ((await machine.findUser('nobody')) ?? user) : user
  const state = join(folder, 'state')
  await files.makeFolder(state, 0o700)
  await files.write(join(state, 'password'), password.reveal(), 0o600)
  await files.setMode(folder, 0o755)
  await files.setOwner(state, owner)
  const common = { env: { PATH, TZ: 'UTC' }, cwd: state, owner }
  await runToSuccess(processes, {
    ...common,
    file: join(programs, 'bin/initdb'),
    args: [
      '-D',
      join(state, 'data'),
      '-U',
      'postgres',
      '-A',
      'scram-sha-256',
      '--pwfile',
      join(state, 'password'),
      '-N',
    ],
  })
  server = await processes.start({
    ...common,
    file: join(programs, 'bin/postgres'),
    args: ['-D', join(state, 'data'), '-k', state, '-h', '', '-F'],
    logFile: join(folder, 'log'),
    label: { appliance: 'test', app: '-', service: 'postgres' },
  })
  address = { host: state, port: 5432, user: 'postgres', password, database: 'postgres' }
  const ready = await waitUntil(clock, { timeoutMs: 60_000 }, () => ask('select 1').catch(() => undefined))
  expect(ready, await files.readText(join(folder, 'log'))).toBeDefined()
})

afterAll(async () => {
  if (server) {
    await processes.signal(server, 'SIGQUIT')
    await processes.waitForExit(server)
  }
  rmSync(folder, { recursive: true })
})

describe('databases', () => {
  it('gives rows for values that never enter the text', async () => {
    const rows = await ask('select $1::text as name, $2::bigint as big', [
      "O'Neill; drop",
      '9007199254740993',
    ])
    expect(rows).toEqual([{ name: "O'Neill; drop", big: '9007199254740993' }])
  })

  it('tells a refusal by its SQLSTATE', async () => {
    expect(await failure(ask('select 1/0'))).toMatchObject({ sqlState: '22012' })
    const wrong = { ...address, password: new Secret('wrong', 'not the password') }
    expect(await failure(ask('select 1', [], wrong))).toMatchObject({ sqlState: '28P01' })
    expect(await failure(ask('select 1', [], { ...address, database: 'none' }))).toMatchObject({
      sqlState: '3D000',
    })
  })

  it('tells a server that is not there, or does not answer, by no SQLSTATE', async () => {
    const nobody = await failure(ask('select 1', [], { ...address, host: join(folder, 'nowhere') }))
    expect(nobody.sqlState).toBeUndefined()
    const silent = join(folder, 'silent')
    mkdirSync(silent)
    const listener = await listenSilently(join(silent, '.s.PGSQL.5432'))
    const unanswered = await failure(ask('select 1', [], { ...address, host: silent }, 200))
    expect(unanswered.sqlState).toBeUndefined()
    listener.close()
  })

  it('has Postgres end a statement that takes too long', async () => {
    expect(await failure(ask('select pg_sleep(60)', [], address, 200))).toMatchObject({ sqlState: '57014' })
  })

  it('hands on what the work throws, and leaves no session behind', async () => {
    const fault = new Error('of the work')
    await expect(
      databases.withSession(address, { timeoutMs: 60_000 }, async () => Promise.reject(fault)),
    ).rejects.toBe(fault)
    const only = await waitUntil(clock, { timeoutMs: 60_000 }, async () => {
      const [row] = await ask(
        "select count(*)::int as n from pg_stat_activity where application_name = 'caretaker'",
      )
      return row?.['n'] === 1 || undefined
    })
    expect(only).toBe(true)
  })

  it('tells a session that Postgres ended', async () => {
    const work = databases.withSession(address, { timeoutMs: 60_000 }, async (session) => {
      const [row] = await session.query<{ pid: number }>('select pg_backend_pid() as pid')
      await ask('select pg_terminate_backend($1)', [row?.pid])
      return session.query('select 1')
    })
    expect(await failure(work)).toBeInstanceOf(DatabaseError)
  })
})

function ask(
  text: string,
  values: readonly unknown[] = [],
  at: DatabaseAddress = address,
  timeoutMs = 60_000,
): Promise<readonly Record<string, unknown>[]> {
  return databases.withSession(at, { timeoutMs }, (session) => session.query(text, values))
}

async function failure(work: Promise<unknown>): Promise<DatabaseError> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (!(error instanceof DatabaseError)) throw new Error(`not a DatabaseError: ${String(error)}`)
  return error
}

async function listenSilently(path: string): Promise<Server> {
  const listener = createServer((socket) => socket.unref())
  await new Promise<void>((resolve) => listener.listen(path, resolve))
  return listener
}
