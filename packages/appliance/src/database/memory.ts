import { MIB } from '@caretaker/kernel/units.ts'

/** What one cluster may use. Sizes in MiB, as the server is told. */
export interface PostgresMemory {
  readonly maxConnections: number
  readonly sharedBuffersMib: number
  readonly workMemMib: number
  readonly maintenanceWorkMemMib: number
  readonly effectiveCacheSizeMib: number
}

/**
 * Memory of each of `clusters` equal clusters. The share of Postgres in the machine, its split and the number of
 * connections are the origin's (reference/appliance-origin.md, 2.8, point 4): memory less 2560 MiB for the rest of
 * the appliance and 256 MiB per core for the application, at least 512; a quarter of it shared buffers, three
 * quarters (at least 2 GiB) the assumed cache, 4 to 64 MiB a sort; 36 connections and 8 per core.
 *
 * Ours: the share is divided by the clusters, the assumed cache is not (they share the page cache) and never
 * exceeds the machine; a sort gets the unshared rest spread over all connections; shared buffers stay between
 * 16 MiB and 8 GiB, above which the Postgres manual expects no gain; maintenance gets a sixteenth, 16 MiB to 1 GiB.
 */
export function planPostgresMemory(machine: {
  readonly memoryBytes: number
  readonly cpuCount: number
  readonly clusters: number
}): PostgresMemory {
  const machineMib = Math.floor(machine.memoryBytes / MIB)
  const postgresMib = Math.max(512, machineMib - 2560 - 256 * machine.cpuCount)
  const clusterMib = postgresMib / Math.max(1, machine.clusters)
  const maxConnections = 36 + 8 * machine.cpuCount
  const sharedBuffersMib = within(16, clusterMib / 4, 8192)
  return {
    maxConnections,
    sharedBuffersMib,
    workMemMib: within(4, (clusterMib - sharedBuffersMib) / maxConnections, 64),
    maintenanceWorkMemMib: within(16, clusterMib / 16, 1024),
    effectiveCacheSizeMib: Math.min(machineMib, Math.max(2048, Math.floor((postgresMib * 3) / 4))),
  }
}

function within(low: number, value: number, high: number): number {
  return Math.min(high, Math.max(low, Math.floor(value)))
}
