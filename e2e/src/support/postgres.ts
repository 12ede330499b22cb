import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { chown, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import pg from 'pg'

const run = promisify(execFile)
const MAJOR = 17
const START_TIMEOUT_MS = 120_000

export interface TestPostgres extends AsyncDisposable {
  /** Creates an empty database and returns its libpq URI over the unix socket, with user and password. */
  createDatabase(): Promise<string>
  /** Fast shutdown and start again on the same data. */
  restart(): Promise<void>
  stop(): Promise<void>
}

/**
 * A real Postgres of its own in a temporary folder, on a unix socket only. As root it runs as `nobody`, because Postgres refuses root. Disposing it ends the process and removes the folder.
 */
export async function startTestPostgres(): Promise<TestPostgres> {
  const native = await nativeFolder()
  const home = await mkdtemp(join(tmpdir(), 'ct-pg-'))
  const identity = await identityForPostgres()
  const password = randomBytes(12).toString('hex')
  const passwordFile = join(home, 'password')
  await writeFile(passwordFile, password)
  const data = join(home, 'data')
  await mkdir(data, { mode: 0o700 })
  if (identity) for (const path of [home, data, passwordFile]) await chown(path, identity.uid, identity.gid)
  const options = { ...identity, cwd: home, env: { LC_ALL: 'C.UTF-8', TZ: 'UTC' } }
  const init = [
    '--pgdata',
    data,
    '--username=postgres',
    '--auth=scram-sha-256',
    `--pwfile=${passwordFile}`,
    '--no-sync',
  ]
  await run(join(native, 'bin/initdb'), [...init, '--encoding=UTF8', '--locale=C'], options)

  const serverArgs = [
    '-D',
    data,
    '-k',
    home,
    '-c',
    'listen_addresses=',
    '-c',
    'max_connections=40',
    '-c',
    'shared_buffers=16MB',
  ]
  const urlOf = (database: string) => `postgresql://postgres:${password}@/${database}?host=${home}&port=5432`
  let server: ChildProcess | undefined

  async function start() {
    server = spawn(join(native, 'bin/postgres'), serverArgs, {
      ...options,
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    let log = ''
    server.stderr?.on('data', (chunk: Buffer) => {
      log = (log + chunk.toString()).slice(-4000)
    })
    const deadline = Date.now() + START_TIMEOUT_MS
    for (;;) {
      try {
        await query(urlOf('postgres'), 'select 1')
        return
      } catch (cause) {
        if (Date.now() > deadline || server.exitCode !== null)
          throw new Error(`Postgres did not start: ${log}`, { cause })
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
    }
  }

  async function stop() {
    if (!server || server.exitCode !== null) return
    const ended = once(server, 'exit')
    server.kill('SIGINT')
    await ended
  }

  await start()
  let databases = 0
  return {
    async createDatabase() {
      databases += 1
      await query(urlOf('postgres'), `create database test${databases}`)
      return urlOf(`test${databases}`)
    },
    stop,
    async restart() {
      await stop()
      await start()
    },
    async [Symbol.asyncDispose]() {
      await stop()
      await rm(home, { recursive: true, force: true })
    },
  }
}

/** Runs one statement on its own connection and returns its rows. */
export async function query(url: string, text: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url })
  client.on('error', () => undefined)
  await client.connect()
  try {
    return (await client.query(text)).rows
  } finally {
    await client.end()
  }
}

/** Holds an advisory lock in a session of its own, until it is disposed of or its server ends. */
export async function holdAdvisoryLock(url: string, key: number): Promise<AsyncDisposable> {
  const client = new pg.Client({ connectionString: url })
  client.on('error', () => undefined)
  await client.connect()
  await client.query('select pg_advisory_lock($1)', [key])
  return { [Symbol.asyncDispose]: () => client.end().catch(() => undefined) }
}

/** The installed binaries, with the library links that the package's own install script would have made. */
async function nativeFolder(): Promise<string> {
  const root = fileURLToPath(
    new URL(`../../../apps/caretaker/node_modules/postgres-${MAJOR}-linux-${process.arch}`, import.meta.url),
  )
  const links = JSON.parse(await readFile(join(root, 'native/pg-symlinks.json'), 'utf8')) as {
    source: string
    target: string
  }[]
  for (const { source, target } of links) {
    await symlink(join(root, source), join(root, target)).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error
    })
  }
  return join(root, 'native')
}

async function identityForPostgres(): Promise<{ uid: number; gid: number } | undefined> {
  if (process.getuid?.() !== 0) return undefined
  const id = async (flag: string) => Number((await run('id', [flag, 'nobody'])).stdout)
  return { uid: await id('-u'), gid: await id('-g') }
}
