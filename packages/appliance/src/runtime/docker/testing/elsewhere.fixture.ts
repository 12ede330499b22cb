import { createHost } from '@caretaker/host/host.ts'
import { Secret } from '@caretaker/kernel/secrets.ts'
import type { ServiceSpec } from '../../runtime.ts'
import { createDockerRuntime, type DockerRuntimeOptions } from '../docker-runtime.ts'

/** What the process that is to be killed gets as its one argument. */
export interface ElsewhereTask {
  readonly options: Omit<DockerRuntimeOptions, 'pid'>
  readonly spec: Omit<ServiceSpec, 'env'> & { readonly env: Readonly<Record<string, string>> }
  readonly command: readonly string[] | undefined
}

const task = JSON.parse(process.argv[2] as string) as ElsewhereTask
const runtime = createDockerRuntime(createHost(), { ...task.options, pid: process.pid })
const env = { ...task.spec.env, TOKEN: new Secret('token', 'the-token') }
const spec: ServiceSpec = { ...task.spec, env }
if (task.command) {
  const running = runtime.runOnce(spec, task.command, { timeoutMs: 60_000 }, new AbortController().signal)
  process.stdout.write('begun\n')
  await running
} else {
  await runtime.start(spec)
  process.stdout.write('begun\n')
  setInterval(() => undefined, 1000)
}
