import type { Clock } from './clock.ts'
import type { Databases } from './database.ts'
import type { Files } from './files.ts'
import type { Locks } from './lock.ts'
import type { Machine } from './machine.ts'
import type { Network } from './network.ts'
import type { Processes } from './process.ts'

/** All ports. Code asks for `Pick<Ports, …>` of what it uses, never for the whole. */
export interface Ports {
  readonly files: Files
  readonly processes: Processes
  readonly clock: Clock
  readonly locks: Locks
  readonly machine: Machine
  readonly network: Network
  readonly databases: Databases
}
