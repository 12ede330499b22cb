import { createHost } from '@caretaker/host/host.ts'
import { type ElsewhereWork, workElsewhere } from '../../testing/elsewhere-process.fixture.ts'
import { createDockerRuntime, type DockerRuntimeOptions } from '../docker-runtime.ts'

/** What the process that is to be killed gets as its one argument. */
export interface ElsewhereTask extends ElsewhereWork {
  readonly options: Omit<DockerRuntimeOptions, 'pid'>
}

const task = JSON.parse(process.argv[2] as string) as ElsewhereTask
await workElsewhere(createDockerRuntime(createHost(), { ...task.options, pid: process.pid }), task)
