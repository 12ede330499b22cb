import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { Secret } from '@caretaker/kernel/secrets.ts'
import type { Runtime, ServiceSpec } from '../runtime.ts'

/** What a runtime in a process of its own is to do; it is handed over as text, so without secrets. */
export interface ElsewhereWork {
  readonly spec: Omit<ServiceSpec, 'env'> & { readonly env: Readonly<Record<string, string>> }
  /** Run once and waited for; without it the service is started. */
  readonly command: readonly string[] | undefined
}

/** Runs a program of Node whose one argument is the task, until `die` ends it with SIGKILL. Its work has begun then. */
export async function spawnElsewhere(
  program: string,
  task: ElsewhereWork,
): Promise<{ die(): Promise<void> }> {
  const child = spawn(process.execPath, [program, JSON.stringify(task)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(child.stdout, 'data')
  return {
    async die() {
      const gone = once(child, 'exit')
      child.kill('SIGKILL')
      await gone
    },
  }
}

/** The other side of {@link spawnElsewhere}: does the work, says that it has begun, and stays. */
export async function workElsewhere(runtime: Runtime, { spec, command }: ElsewhereWork): Promise<void> {
  const whole: ServiceSpec = { ...spec, env: { ...spec.env, TOKEN: new Secret('token', 'the-token') } }
  const running = command
    ? runtime.runOnce(whole, command, { timeoutMs: 60_000 }, new AbortController().signal)
    : await runtime.start(whole)
  process.stdout.write('begun\n')
  if (command) await running
  else setInterval(() => undefined, 1000)
}
