import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync } from 'node:fs'
import { chmod, chown, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { reservePort } from '@caretaker/host/reserved-port.fixture.ts'
import { eventually } from './observe.ts'

export const ROOT = fileURLToPath(new URL('../../../', import.meta.url))
/** The built program; `npm run build` makes it. */
export const DIST = join(ROOT, 'dist')
/** Longest that one command may take. */
const COMMAND_LIMIT_MS = 200_000

export interface Ran {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
  readonly ms: number
}

/** Who runs the program; undefined: whoever runs the tests. */
export interface Person {
  readonly uid: number
  readonly gid: number
}

export interface Reply {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: string
}

export interface DaemonProcess {
  readonly pid: number
  /** Resolves with the exit code when it has ended. */
  readonly ended: Promise<number | null>
  /** SIGTERM; resolves with the exit code when it has ended. */
  stop(): Promise<number | null>
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>
}

export interface HttpsOptions {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  /** Name of the TLS handshake; default: localhost. */
  readonly servername?: string
  readonly send?: Uint8Array
}

/** The built program on a state folder of its own, with ports of its own. */
export interface TestAppliance extends AsyncDisposable {
  readonly home: string
  readonly state: string
  readonly port: number
  readonly url: string
  /** Runs a command line to its end; standard input is closed. */
  run(...words: readonly string[]): Promise<Ran>
  /** {@link run}, and fails with all it said unless it ends with 0. */
  ok(...words: readonly string[]): Promise<Ran>
  /** `config create` for localhost, with the gateway on {@link port} of the loopback address. */
  createConfig(): Promise<Ran>
  /** Starts a command line and leaves it running. */
  start(...words: readonly string[]): { readonly child: ChildProcess; readonly ran: Promise<Ran> }
  /** Starts a daemon, and waits until it answers. */
  daemon(...words: readonly string[]): Promise<DaemonProcess>
  /** The document that `--json` prints. */
  json<T = Record<string, unknown>>(...words: readonly string[]): Promise<T>
  /** A request over HTTPS, trusting the authority of the appliance and nothing else. */
  request(path: string, options?: HttpsOptions): Promise<Reply>
  /** Pids of services as `status` shows them, "gateway" among them. */
  pids(): Promise<Readonly<Record<string, number>>>
}

/** An empty state folder with free ports. Disposing stops what runs on it and removes it. */
export async function testAppliance(
  person?: Person,
  dist = DIST,
  more: NodeJS.ProcessEnv = {},
): Promise<TestAppliance> {
  if (!existsSync(join(dist, 'caretaker/main.js')))
    throw new Error('There is no dist folder: run "npm run build"')
  const home = await mkdtemp(join(tmpdir(), 'ct-e2e-'))
  // Services run as another user when this is root, and must pass through.
  await chmod(home, 0o711)
  if (person) await chown(home, person.uid, person.gid)
  const state = join(home, 'state')
  const port = await reservePort()
  const daemons = new Set<ChildProcess>()

  const start: TestAppliance['start'] = (...words) => {
    const startedMs = performance.now()
    const child = spawn(join(dist, 'programs/node/bin/node'), [join(dist, 'caretaker/main.js'), ...words], {
      cwd: home,
      env: {
        ...outgoing(),
        ...more,
        PATH: '/usr/local/bin:/usr/bin:/bin',
        HOME: home,
        CARETAKER_STATE: state,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: words.includes('daemon') ? undefined : COMMAND_LIMIT_MS,
      ...person,
    })
    const said = { stdout: '', stderr: '' }
    for (const name of ['stdout', 'stderr'] as const)
      child[name]?.setEncoding('utf8').on('data', (part: string) => {
        said[name] += part
      })
    const ran = once(child, 'close').then(([code]) => ({
      code: code as number | null,
      ...said,
      ms: performance.now() - startedMs,
    }))
    return { child, ran }
  }
  const run: TestAppliance['run'] = (...words) => start(...words).ran
  const ok: TestAppliance['ok'] = async (...words) => {
    const ran = await run(...words)
    if (ran.code !== 0)
      throw new Error(`caretaker ${words.join(' ')} ended with ${ran.code}:\n${ran.stdout}${ran.stderr}`)
    return ran
  }
  const json = async <T>(...words: readonly string[]) => {
    const ran = await run(...words, '--json')
    return JSON.parse(ran.stdout) as T
  }

  return {
    home,
    state,
    port,
    url: `https://localhost:${port}`,
    run,
    ok,
    createConfig: () => {
      const gateway = `--bind 127.0.0.1 --https-port ${port} --http-port none`
      return ok('config', 'create', 'localhost', ...gateway.split(' '))
    },
    start,
    json,
    async daemon(...words) {
      const { child, ran } = start('daemon', ...words)
      daemons.add(child)
      await eventually('the daemon answers', async () => {
        if (child.exitCode !== null) throw new Error(`the daemon ended: ${JSON.stringify(await ran)}`)
        return (await json<{ daemon: { pid: number | null } }>('status')).daemon.pid === child.pid
      })
      const ended = ran.then(({ code }) => {
        daemons.delete(child)
        return code
      })
      const end = (signal: NodeJS.Signals) => {
        child.kill(signal)
        return ended
      }
      return {
        pid: child.pid as number,
        ended,
        stop: () => end('SIGTERM'),
        async kill() {
          await end('SIGKILL')
        },
      }
    },
    request: async (path, { send, ...options } = {}) => {
      const ca = await readFile(join(state, 'certificates/ca.crt'))
      return new Promise((resolve, reject) => {
        const sent = request(
          {
            host: '127.0.0.1',
            port,
            path,
            ca,
            servername: 'localhost',
            agent: false,
            ...options,
            headers: { host: `localhost:${port}`, ...options.headers },
          },
          (response) => {
            let body = ''
            response.setEncoding('utf8').on('data', (part: string) => {
              body += part
            })
            response.on('end', () =>
              resolve({ status: response.statusCode ?? 0, headers: response.headers, body }),
            )
            response.on('error', reject)
          },
        )
        sent.on('error', reject)
        sent.end(send)
      })
    },
    async pids() {
      const status = await json<StatusDocument>('status')
      return Object.fromEntries([
        ...status.apps.flatMap(({ services }) =>
          services.flatMap(({ service, pid }) => (pid ? [[service, pid]] : [])),
        ),
        ...(status.gateway.pid ? [['gateway', status.gateway.pid]] : []),
      ])
    },
    async [Symbol.asyncDispose]() {
      for (const child of daemons) {
        const ended = once(child, 'close')
        child.kill('SIGTERM')
        await ended
      }
      const last = existsSync(join(state, 'last-good-config.json')) ? await run('down') : undefined
      await removeFolder(home)
      if (last && last.code !== 0) throw new Error(`caretaker down ended with ${last.code}: ${last.stderr}`)
    },
  }
}

/** What tests read of `status --json`. */
export interface StatusDocument {
  readonly state: string
  readonly code: string
  readonly reason: string
  readonly next: string
  readonly exit_code: number
  readonly daemon: { readonly running: boolean; readonly pid: number | null }
  readonly gateway: { readonly pid: number | null }
  readonly parts: readonly {
    readonly part: string
    readonly code: string
    readonly what?: string
    readonly reason: string
    readonly next: string
  }[]
  readonly apps: readonly {
    readonly app: string
    readonly state: string
    readonly version: string | null
    readonly url: string
    readonly services: readonly { readonly service: string; readonly state: string; readonly pid?: number }[]
  }[]
  readonly unfinished_operations: readonly string[]
}

/** What fetching dependencies may need; nothing else of our environment reaches the program. */
function outgoing(): NodeJS.ProcessEnv {
  const wanted = /^(https?_proxy|no_proxy|npm_config_.*|node_extra_ca_certs|ssl_cert_(file|dir))$/i
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => wanted.test(name)))
}

/** Releases are read-only on disk. */
async function removeFolder(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true }))
    if (entry.isDirectory()) chmodSync(join(entry.parentPath, entry.name), 0o700)
  await rm(folder, { recursive: true, force: true })
}
