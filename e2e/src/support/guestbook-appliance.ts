import { type TestAppliance, testAppliance } from './appliance.ts'
import { ownWorkshop, type Workshop } from './people.ts'
import type { Release } from './releases.ts'

export interface GuestbookAppliance extends AsyncDisposable {
  readonly appliance: TestAppliance
  readonly workshop: Workshop
}

/** An appliance with a config, and guestbook in it at localhost, up. */
export async function guestbookAppliance(release: Release = 'v1'): Promise<GuestbookAppliance> {
  const workshop = await ownWorkshop()
  const appliance = await testAppliance()
  await appliance.createConfig()
  await appliance.ok('app', 'add', 'guestbook', await workshop.folder(release), '--host', 'localhost')
  return {
    appliance,
    workshop,
    async [Symbol.asyncDispose]() {
      await appliance[Symbol.asyncDispose]()
      await workshop[Symbol.asyncDispose]()
    },
  }
}
