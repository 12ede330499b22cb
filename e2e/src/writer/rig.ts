import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestEngine } from '@caretaker/appliance/runtime/docker/testing/engine.fixture.ts'
import type { StorageBackend } from '@caretaker/appliance/storage/storage.ts'
import { dockerAppliance, engineWithImages } from '../docker/docker-appliance.ts'
import { type TestAppliance, testAppliance } from '../support/appliance.ts'
import { dataOnBtrfs } from '../support/btrfs.ts'
import { configure } from '../support/configure.ts'
import { ownWorkshop } from '../support/people.ts'
import { VICTIMS, type Victim } from './kill-plan.ts'
import { openSupervisor, type Supervisor } from './supervisor.ts'

export interface WriterRig extends AsyncDisposable {
  readonly appliance: TestAppliance
  readonly supervisor: Supervisor
  /** What runs the containers, where there are any. */
  readonly engine: TestEngine | undefined
  /** What of it is to be killed. */
  readonly victims: readonly Victim[]
}

export interface WriterRigOptions {
  /** Spoils the source of guestbook before it is added. */
  readonly change?: (folder: string) => Promise<void>
  /** Default: in the state folder. */
  readonly storage?: StorageBackend
  /** Default: in processes. */
  readonly runtime?: 'process' | 'docker'
  /** Default: the embedded one. */
  readonly gateway?: 'embedded' | 'caddy'
}

/**
 * An appliance with guestbook up, and a supervisor that is not started. Its data lies in the state folder, or on a btrfs
 * of its own; it runs in processes, or in containers of an engine of its own: both need root. Caddy must be installed.
 */
export async function writerRig({
  change,
  storage,
  runtime,
  gateway,
}: WriterRigOptions = {}): Promise<WriterRig> {
  await using disposables = new AsyncDisposableStack()
  const workshop = disposables.use(await ownWorkshop())
  const engine = runtime === 'docker' ? disposables.use(await engineWithImages()) : undefined
  const appliance = engine ? await dockerAppliance(engine) : await testAppliance()
  if (!engine) await appliance.createConfig()
  if (storage === 'btrfs') disposables.use(await dataOnBtrfs(appliance))
  if (gateway === 'caddy') await configure(appliance, ['gateway', 'engine'], gateway)
  disposables.use(appliance)
  const source = join(appliance.home, 'guestbook')
  await cp(await workshop.folder('v1'), source, { recursive: true })
  await change?.(source)
  await appliance.ok('app', 'add', 'guestbook', source, '--host', 'localhost')
  const supervisor = disposables.use(await openSupervisor(appliance, engine?.docker.environment))
  const all = disposables.move()
  const victims = gateway === 'caddy' ? [...VICTIMS, 'caddy' as const] : VICTIMS
  return { appliance, supervisor, engine, victims, [Symbol.asyncDispose]: () => all.disposeAsync() }
}
