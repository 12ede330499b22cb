import type { Ports } from '@caretaker/ports/ports.ts'
import { createClock } from './clock.ts'
import { createDatabases } from './databases.ts'
import { createFiles } from './files.ts'
import { createLocks } from './locks.ts'
import { createMachine } from './machine.ts'
import { createNetwork } from './network.ts'
import { createProcesses } from './processes.ts'

/** The ports of this machine. One set per program: it remembers the processes it started. */
export function createHost(): Ports {
  return {
    files: createFiles(),
    processes: createProcesses(),
    clock: createClock(),
    locks: createLocks(),
    machine: createMachine(),
    network: createNetwork(),
    databases: createDatabases(),
  }
}
