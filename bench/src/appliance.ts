import { chmod, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { request } from 'node:https'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { caretaker, runProgram } from './programs.ts'

/** An appliance of its own below the temporary folder, on loopback; ended and removed when disposed. */
export interface BenchAppliance extends AsyncDisposable {
  readonly state: string
  readonly httpsPort: number
  readonly env: Readonly<Record<string, string>>
  run(...words: readonly string[]): Promise<string>
}

/** Writes its config; nothing is started yet. */
export async function createAppliance(): Promise<BenchAppliance> {
  const state = await mkdtemp(join(tmpdir(), 'caretaker-bench-'))
  // Applications run as another user when we are root.
  await chmod(state, 0o711)
  const httpsPort = await freePort()
  const env = { CARETAKER_STATE: state, CARETAKER_CONFIG: '' }
  const run = (...words: readonly string[]) => runProgram(caretaker, words, { env })
  const ports = ['--https-port', String(httpsPort), '--http-port', 'none']
  await run('config', 'create', 'localhost', '--bind', '127.0.0.1', ...ports)
  return {
    state,
    httpsPort,
    env,
    run,
    async [Symbol.asyncDispose]() {
      await run('down').catch(() => undefined)
      // What is prepared is read-only.
      await runProgram('chmod', ['-R', 'u+w', state]).catch(() => undefined)
      await rm(state, { recursive: true, force: true })
    },
  }
}

/** The status code of a GET over HTTPS on the loopback address; the certificate is not looked at. */
export function statusOf(port: number, path: string, host = 'localhost'): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        host: '127.0.0.1',
        port,
        path,
        headers: { host },
        rejectUnauthorized: false,
        agent: false,
      },
      (response) => {
        response.resume()
        resolve(response.statusCode)
      },
    )
    sent.on('error', reject).end()
  })
}

/** Milliseconds of every step applied so far, from the journals, longest first. */
export async function stepTimes(state: string): Promise<readonly (readonly [step: string, ms: number])[]> {
  const folder = join(state, 'operations')
  const times: [string, number][] = []
  for (const name of (await readdir(folder)).filter((entry) => entry.endsWith('.jsonl'))) {
    const text = await readFile(join(folder, name), 'utf8')
    // Every line begins with its checksum.
    for (const [, record] of text.matchAll(/^\S+ (\{.*)$/gm)) {
      const { type, step, duration_ms } = JSON.parse(record ?? '{}') as Record<string, unknown>
      if (type === 'step-applied') times.push([String(step), Number(duration_ms)])
    }
  }
  return times.toSorted((a, b) => b[1] - a[1])
}

export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  return typeof address === 'object' && address ? address.port : 0
}
