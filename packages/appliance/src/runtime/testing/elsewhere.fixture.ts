import { createHost } from '@caretaker/host/host.ts'
import type { CellOptions } from '../cells.ts'
import { createProcessRuntime } from '../process-runtime.ts'
import { type ElsewhereWork, workElsewhere } from './elsewhere-process.fixture.ts'

/** What the process of {@link ../process-runtime.real.test.ts} that is to be killed gets as its one argument. */
export interface ElsewhereTask extends ElsewhereWork {
  readonly applianceId: string
  readonly folder: string
  readonly cells?: CellOptions
}

const task = JSON.parse(process.argv[2] as string) as ElsewhereTask
const runtime = createProcessRuntime(createHost(), {
  applianceId: task.applianceId,
  folder: task.folder,
  pid: process.pid,
  ...(task.cells ? { cells: task.cells } : {}),
})
await workElsewhere(runtime, task)
