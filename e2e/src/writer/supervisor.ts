import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { copyFile, mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DIST, ROOT, type TestAppliance } from '../support/appliance.ts'

/** What `npm start` is once everything is built. */
const BUILT = `import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
export const root = dirname(dirname(fileURLToPath(import.meta.url)))
export const bootstrap = async () => undefined
export function refuse(what, why, next) {
  console.error(what, why, next)
  process.exit(1)
}
`

/** `npm start` on the state folder of a test appliance, in a clone that has nothing but what it needs. */
export interface Supervisor extends AsyncDisposable {
  readonly pid: number | undefined
  /** Starts it unless it runs. */
  start(): void
  /** All it has said, and the daemons it started. */
  output(): Promise<string>
  /** Ctrl-C: stops the daemon in order, and with it everything. Gives the exit code. */
  stop(): Promise<number | null>
}

/** Makes the clone; nothing is started. */
export async function openSupervisor(
  appliance: TestAppliance,
  more: NodeJS.ProcessEnv = {},
): Promise<Supervisor> {
  const clone = join(appliance.home, 'clone')
  const log = join(appliance.home, 'supervisor.log')
  await mkdir(join(clone, 'scripts'), { recursive: true })
  for (const file of ['scripts/start.mjs', 'scripts/claim.mjs', 'scripts/local-state.mjs', 'caretaker'])
    await copyFile(join(ROOT, file), join(clone, file))
  await writeFile(join(clone, 'scripts/bootstrap.mjs'), BUILT)
  await symlink(DIST, join(clone, 'dist'))
  await symlink(appliance.state, join(clone, '.caretaker'))
  let child: ChildProcess | undefined
  const isRunning = () => child !== undefined && child.exitCode === null && child.signalCode === null
  const supervisor: Supervisor = {
    get pid() {
      return isRunning() ? child?.pid : undefined
    },
    start() {
      if (isRunning()) return
      const out = openSync(log, 'a')
      child = spawn(join(DIST, 'programs/node/bin/node'), [join(clone, 'scripts/start.mjs')], {
        cwd: clone,
        env: { ...more, PATH: '/usr/local/bin:/usr/bin:/bin', HOME: appliance.home },
        stdio: ['ignore', out, out],
      })
      closeSync(out)
    },
    output: () => readFile(log, 'utf8'),
    async stop() {
      // One that was killed has left its daemon to the next.
      supervisor.start()
      const ended = once(child as ChildProcess, 'exit')
      child?.kill('SIGINT')
      const [code] = await ended
      return code as number | null
    },
    async [Symbol.asyncDispose]() {
      if (!isRunning()) return
      const ended = once(child as ChildProcess, 'exit')
      child?.kill('SIGKILL')
      await ended
      const { daemon } = await appliance.json<{ daemon: { pid: number | null } }>('status')
      if (daemon.pid) process.kill(daemon.pid, 'SIGKILL')
    },
  }
  return supervisor
}
