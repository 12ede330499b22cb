import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import type { StorageBackend } from '@caretaker/appliance/storage/storage.ts'
import { type TestAppliance, testAppliance } from '../support/appliance.ts'
import { dataOnBtrfs } from '../support/btrfs.ts'
import { ownWorkshop } from '../support/people.ts'
import { openSupervisor, type Supervisor } from './supervisor.ts'

export interface WriterRig extends AsyncDisposable {
  readonly appliance: TestAppliance
  readonly supervisor: Supervisor
}

/**
 * An appliance with guestbook up, whose source `change` may spoil before, and a supervisor that is not started. Its data
 * lies in the state folder, or on a btrfs of its own, which needs root.
 */
export async function writerRig(
  change?: (folder: string) => Promise<void>,
  storage: StorageBackend = 'directory',
): Promise<WriterRig> {
  await using disposables = new AsyncDisposableStack()
  const workshop = disposables.use(await ownWorkshop())
  const appliance = await testAppliance()
  await appliance.createConfig()
  if (storage === 'btrfs') disposables.use(await dataOnBtrfs(appliance))
  disposables.use(appliance)
  const source = join(appliance.home, 'guestbook')
  await cp(await workshop.folder('v1'), source, { recursive: true })
  await change?.(source)
  await appliance.ok('app', 'add', 'guestbook', source, '--host', 'localhost')
  const supervisor = disposables.use(await openSupervisor(appliance))
  const all = disposables.move()
  return { appliance, supervisor, [Symbol.asyncDispose]: () => all.disposeAsync() }
}
