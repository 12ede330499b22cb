import { createHost } from '@caretaker/host/host.ts'
import { Secret } from '@caretaker/kernel/secrets.ts'
import type { CellOptions } from '../cells.ts'
import { createProcessRuntime } from '../process-runtime.ts'
import type { ServiceSpec } from '../runtime.ts'

/** What the process of {@link ../process-runtime.real.test.ts} that is to be killed gets as its one argument. */
export interface ElsewhereTask {
  readonly applianceId: string
  readonly folder: string
  readonly spec: Omit<ServiceSpec, 'env'> & { readonly env: Readonly<Record<string, string>> }
  readonly command: readonly string[] | undefined
  readonly cells?: CellOptions
}

const task = JSON.parse(process.argv[2] as string) as ElsewhereTask
const runtime = createProcessRuntime(createHost(), {
  applianceId: task.applianceId,
  folder: task.folder,
  pid: process.pid,
  ...(task.cells ? { cells: task.cells } : {}),
})
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
