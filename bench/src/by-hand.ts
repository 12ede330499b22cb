import { randomBytes } from 'node:crypto'
import { chown, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from './appliance.ts'
import { node, programsFolder, type RunningProgram, runProgram, startProgram, until } from './programs.ts'

/** The user "nobody" of Debian and most others; Postgres refuses to run as root. */
const NOBODY = { uid: 65_534, gid: 65_534 }
const postgresFolder = join(programsFolder, 'postgres-17/bin')

/** Guestbook without an appliance, in a folder of its own; ended and removed when disposed. */
export interface ByHand extends AsyncDisposable {
  /** Milliseconds from an empty folder to 200. */
  first(): Promise<number>
  /** Milliseconds to 200 once more, after everything was stopped. */
  again(): Promise<number>
  /** Milliseconds of Node with these arguments, in the folder of a release; after {@link again}. */
  run(folder: string, args: readonly string[]): Promise<number>
}

/** `release` is the folder with the application and its installed dependencies; data and files lie below `parent`. */
export async function createByHand(release: string, parent = tmpdir()): Promise<ByHand> {
  const user = process.getuid?.() === 0 ? NOBODY : undefined
  const folder = await mkdtemp(join(parent, 'caretaker-by-hand-'))
  const data = join(folder, 'data')
  for (const name of ['data', 'files', 'thumbs']) await mkdir(join(folder, name), { mode: 0o700 })
  await writeFile(join(folder, 'key'), randomBytes(16).toString('hex'))
  if (user) {
    for (const name of ['', 'data', 'files', 'thumbs', 'key'])
      await chown(join(folder, name), user.uid, user.gid)
  }
  const [database, web] = [await freePort(), await freePort()]
  const env = {
    DATABASE_URL: `postgres://guestbook@127.0.0.1:${database}/postgres`,
    DATA_DIR_FILES: join(folder, 'files'),
    VOLATILE_DIR_THUMBS: join(folder, 'thumbs'),
    SESSION_KEY_FILE: join(folder, 'key'),
    PORT: String(web),
  }
  const running: RunningProgram[] = []

  async function stop(): Promise<void> {
    for (const program of running.splice(0).toReversed()) await program[Symbol.asyncDispose]()
  }

  async function startAll(): Promise<void> {
    const args = ['-D', data, '-p', String(database), '-k', folder, '-c', 'listen_addresses=127.0.0.1']
    running.push(startProgram(join(postgresFolder, 'postgres'), args, { user }))
    const options = { cwd: release, env, user }
    await until(() => runProgram(node, ['migrate.mjs'], options), 50)
    running.push(startProgram(node, ['server.mjs'], options))
    await until(async () =>
      (await fetch(`http://127.0.0.1:${web}/entries.json`)).status === 200 ? true : undefined,
    )
  }

  return {
    async first() {
      const from = performance.now()
      await runProgram(join(postgresFolder, 'initdb'), ['-D', data, '-U', 'guestbook', '-A', 'trust'], {
        user,
      })
      await startAll()
      const took = performance.now() - from
      await stop()
      return took
    },
    async again() {
      const from = performance.now()
      await startAll()
      return performance.now() - from
    },
    async run(cwd, args) {
      const from = performance.now()
      await runProgram(node, args, { cwd, env, user })
      return performance.now() - from
    },
    async [Symbol.asyncDispose]() {
      await stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
