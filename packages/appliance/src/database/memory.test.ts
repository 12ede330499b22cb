import { GIB, MIB } from '@caretaker/kernel/units.ts'
import { describe, expect, test } from 'vitest'
import { planPostgresMemory } from './memory.ts'

describe('memory of Postgres', () => {
  test('one cluster gets the share of the origin', () => {
    expect(planPostgresMemory({ memoryBytes: 8 * GIB, cpuCount: 4, clusters: 1 })).toEqual({
      maxConnections: 68,
      sharedBuffersMib: 1152,
      workMemMib: 50,
      maintenanceWorkMemMib: 288,
      effectiveCacheSizeMib: 3456,
    })
  })

  test('three clusters share it, but not the page cache', () => {
    const memory = planPostgresMemory({ memoryBytes: 8 * GIB, cpuCount: 4, clusters: 3 })
    expect(memory.sharedBuffersMib).toBe(384)
    expect(memory.effectiveCacheSizeMib).toBe(3456)
  })

  test('a small machine still gets something, and never more than it has', () => {
    expect(planPostgresMemory({ memoryBytes: GIB, cpuCount: 1, clusters: 1 })).toEqual({
      maxConnections: 44,
      sharedBuffersMib: 128,
      workMemMib: 8,
      maintenanceWorkMemMib: 32,
      effectiveCacheSizeMib: 1024,
    })
  })

  test('many clusters on a small machine stay above the least, a huge machine below the most', () => {
    const least = planPostgresMemory({ memoryBytes: 512 * MIB, cpuCount: 1, clusters: 40 })
    expect(least).toMatchObject({ sharedBuffersMib: 16, workMemMib: 4, maintenanceWorkMemMib: 16 })
    const most = planPostgresMemory({ memoryBytes: 512 * GIB, cpuCount: 16, clusters: 1 })
    expect(most).toMatchObject({ sharedBuffersMib: 8192, workMemMib: 64, maintenanceWorkMemMib: 1024 })
  })
})
