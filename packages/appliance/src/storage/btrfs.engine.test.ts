import { afterAll, beforeAll } from 'vitest'
import { openPostgresLab, type PostgresLab } from '../database/postgres.fixture.ts'
import { type BtrfsVolume, openBtrfsVolume } from './btrfs-volume.fixture.ts'
import { describeStorage } from './conformance.ts'
import { storageLab } from './storage-lab.fixture.ts'

const SIZE_MIB = 4096

let postgres: PostgresLab
let volume: BtrfsVolume

beforeAll(async () => {
  postgres = await openPostgresLab()
  volume = await openBtrfsVolume(postgres.ports, SIZE_MIB)
})
afterAll(async () => {
  await postgres?.[Symbol.asyncDispose]()
  await volume?.[Symbol.asyncDispose]()
})

describeStorage('btrfs', async () => storageLab('btrfs', postgres, volume.path))
