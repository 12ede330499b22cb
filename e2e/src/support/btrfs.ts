import { join } from 'node:path'
import { type BtrfsVolume, openBtrfsVolume } from '@caretaker/appliance/storage/btrfs-volume.fixture.ts'
import { createHost } from '@caretaker/host/host.ts'
import type { TestAppliance } from './appliance.ts'
import { configure } from './configure.ts'

const SIZE_MIB = 4096

/** Lets an appliance that was not started yet keep its data on a btrfs of its own. Needs root. */
export async function dataOnBtrfs(appliance: TestAppliance): Promise<BtrfsVolume> {
  const volume = await openBtrfsVolume(createHost(), SIZE_MIB)
  await configure(appliance, ['storage', 'backend'], 'btrfs')
  await configure(appliance, ['storage', 'data'], join(volume.path, 'data'))
  return volume
}
