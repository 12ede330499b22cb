import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestAppliance, testAppliance } from '../support/appliance.ts'
import { ownWorkshop } from '../support/people.ts'
import { openSupervisor, type Supervisor } from './supervisor.ts'

export interface WriterRig extends AsyncDisposable {
  readonly appliance: TestAppliance
  readonly supervisor: Supervisor
}

/** An appliance with guestbook up, whose source `change` may spoil before, and a supervisor that is not started. */
export async function writerRig(change?: (folder: string) => Promise<void>): Promise<WriterRig> {
  await using disposables = new AsyncDisposableStack()
  const workshop = disposables.use(await ownWorkshop())
  const appliance = disposables.use(await testAppliance())
  await appliance.createConfig()
  const source = join(appliance.home, 'guestbook')
  await cp(await workshop.folder('v1'), source, { recursive: true })
  await change?.(source)
  await appliance.ok('app', 'add', 'guestbook', source, '--host', 'localhost')
  const supervisor = disposables.use(await openSupervisor(appliance))
  const all = disposables.move()
  return { appliance, supervisor, [Symbol.asyncDispose]: () => all.disposeAsync() }
}
