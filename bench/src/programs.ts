import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { dirname, join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))
export const caretaker = join(root, 'caretaker')
export const programsFolder = join(root, 'dist/programs')
export const node = join(programsFolder, 'node/bin/node')

/** No program of a benchmark takes longer. */
const LIMIT_MS = 300_000

export interface ProgramOptions {
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  readonly user?: { readonly uid: number; readonly gid: number } | undefined
}

/** Runs a program to its end; gives its standard output. @throws with what it said when it fails */
export async function runProgram(
  file: string,
  args: readonly string[],
  options: ProgramOptions = {},
): Promise<string> {
  const child = spawn(file, args, { ...spawnOptions(options), stdio: 'pipe', timeout: LIMIT_MS })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  const [code] = (await once(child, 'close')) as [number | null]
  if (code !== 0) throw new Error(`${file} ${args.join(' ')} ended with ${code}: ${stderr}${stdout}`)
  return stdout
}

/** Whether Caddy is installed; when it is not, says that what needs it is left out. */
export async function hasCaddy(): Promise<boolean> {
  try {
    await runProgram('caddy', ['version'])
    return true
  } catch {
    process.stderr.write('Left out: Caddy is not installed ("apt install caddy")\n')
    return false
  }
}

export interface RunningProgram extends AsyncDisposable {
  readonly pid: number
}

/** Starts a program that runs until disposed: SIGTERM, then SIGKILL after ten seconds. */
export function startProgram(
  file: string,
  args: readonly string[],
  options: ProgramOptions = {},
): RunningProgram {
  const child = spawn(file, args, { ...spawnOptions(options), stdio: 'ignore' })
  if (child.pid === undefined) throw new Error(`${file} was not started`)
  const ended = once(child, 'exit')
  return {
    pid: child.pid,
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM')
      await Promise.race([ended, wait(10_000, undefined, { ref: false })])
      child.kill('SIGKILL')
    },
  }
}

function spawnOptions({ env = {}, cwd, user }: ProgramOptions) {
  return { env: { ...process.env, NO_COLOR: '1', ...env }, cwd, ...user }
}

/** Waits until `look` gives something. @throws after a minute */
export async function until<T>(look: () => Promise<T | undefined>, everyMs = 5): Promise<T> {
  const deadline = performance.now() + 60_000
  while (performance.now() < deadline) {
    const found = await look().catch(() => undefined)
    if (found !== undefined) return found
    await wait(everyMs)
  }
  throw new Error('what was waited for did not come within a minute')
}
