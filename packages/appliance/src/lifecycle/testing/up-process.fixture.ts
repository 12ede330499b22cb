import { createHost } from '@caretaker/host/host.ts'
import type { Programs } from '../appliance.ts'
import { openWithFile } from '../open.ts'
import { up } from '../up.ts'

/** What the process that is to be killed gets as its one argument. */
export interface UpTask {
  readonly stateFolder: string
  readonly configFile: string
  readonly programs: Programs
  /** `step-started shop/app.migrate`: it waits for its end as soon as this was journalled. */
  readonly killAt: string
}

const task = JSON.parse(process.argv[2] as string) as UpTask
const { appliance } = await openWithFile(
  {
    ports: createHost(),
    actor: { user: 'tester', via: 'test' },
    pid: process.pid,
    stateFolder: task.stateFolder,
    programs: task.programs,
  },
  task.configFile,
)
await up(
  appliance,
  { firstStart: false },
  (event) => {
    if ('step' in event && `${event.type} ${event.step}` === task.killAt) process.kill(process.pid, 'SIGKILL')
  },
  new AbortController().signal,
)
