import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Release, Releases } from './releases.ts'

export interface Finished {
  readonly code: number
  readonly output: string
}

export interface Served {
  readonly url: string
  /** Everything it has printed so far. */
  output(): string
  /** Sends SIGTERM and returns the exit code and how long it took. */
  stop(): Promise<{ code: number | null; ms: number }>
}

/** One installation of guestbook: its database, its files, and its running services. */
export interface Installation extends AsyncDisposable {
  readonly filesFolder: string
  readonly cardsFolder: string
  /** Runs a script of a release to its end. */
  command(release: Release, args: readonly string[], extra?: Record<string, string>): Promise<Finished>
  /** Starts a service of a release; `web` is returned when it listens. */
  serve(release: Release, script?: 'server.mjs' | 'worker.mjs'): Promise<Served>
}

/** Guestbook on a database, wired by the same variables as Caretaker sets. Disposing ends all that it started. */
export async function installGuestbook(databaseUrl: string, releases: Releases): Promise<Installation> {
  const home = await mkdtemp(join(tmpdir(), 'ct-guestbook-'))
  const filesFolder = join(home, 'files')
  const cardsFolder = join(home, 'thumbs')
  await mkdir(filesFolder)
  await mkdir(cardsFolder)
  await writeFile(join(home, 'session_key'), 'a key of this test and of nothing else')
  const running = new Set<ChildProcess>()
  const environment = {
    PATH: process.env['PATH'] ?? '',
    DATABASE_URL: databaseUrl,
    DATA_DIR_FILES: filesFolder,
    VOLATILE_DIR_THUMBS: cardsFolder,
    SESSION_KEY_FILE: join(home, 'session_key'),
    PUBLIC_URL: 'https://guestbook.example.invalid',
    GUESTBOOK_TITLE: 'Our <guests>',
    TZ: 'Europe/Vienna',
    PORT: '0',
  }

  return {
    filesFolder,
    cardsFolder,
    async command(release, args, extra = {}) {
      const cwd = await releases.folderOf(release)
      const child = spawn(process.execPath, args, { cwd, env: { ...environment, ...extra } })
      const output = collect(child)
      const [code] = (await once(child, 'close')) as [number]
      return { code, output: output() }
    },
    async serve(release, script = 'server.mjs') {
      const cwd = await releases.folderOf(release)
      const child = spawn(process.execPath, [script], { cwd, env: environment })
      running.add(child)
      const output = collect(child)
      const port = script === 'server.mjs' ? await untilMatch(child, output, /listens on [^:]+:(\d+)/) : ''
      return {
        url: `http://127.0.0.1:${port}`,
        output,
        async stop() {
          const since = performance.now()
          const ended = once(child, 'exit')
          child.kill('SIGTERM')
          const [code] = (await ended) as [number | null]
          running.delete(child)
          return { code, ms: performance.now() - since }
        },
      }
    },
    async [Symbol.asyncDispose]() {
      for (const child of running) child.kill('SIGKILL')
      await rm(home, { recursive: true, force: true })
    },
  }
}

function collect(child: ChildProcess): () => string {
  let text = ''
  const add = (chunk: Buffer) => {
    text += chunk.toString()
  }
  child.stdout?.on('data', add)
  child.stderr?.on('data', add)
  return () => text
}

/** Waits until the output matches and returns the first group. */
function untilMatch(child: ChildProcess, output: () => string, pattern: RegExp): Promise<string> {
  return new Promise((resolve, reject) => {
    const look = () => {
      const match = pattern.exec(output())
      if (match) resolve(match[1] ?? '')
    }
    child.stdout?.on('data', look)
    child.on('exit', (code) => reject(new Error(`It ended with ${code}: ${output()}`)))
  })
}
