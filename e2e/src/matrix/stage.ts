import { cp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestEngine } from '@caretaker/appliance/runtime/docker/testing/engine.fixture.ts'
import { dockerAppliance, engineWithImages } from '../docker/docker-appliance.ts'
import {
  type DaemonProcess,
  type StatusDocument,
  type TestAppliance,
  testAppliance,
} from '../support/appliance.ts'
import { dataOnBtrfs } from '../support/btrfs.ts'
import { eventually } from '../support/observe.ts'
import { ownWorkshop, type Workshop } from '../support/people.ts'
import type { Memory } from '../writer/memory.ts'
import { beginData } from './beginning.ts'
import { Copies } from './copies.ts'
import { endAll } from './end-all.ts'
import type { TriedUpdate } from './updates.ts'

/** An appliance with v1 and its data, everything stopped, whose source holds another release. */
export interface Scene {
  readonly appliance: TestAppliance
  /** What was acknowledged before. */
  readonly beginning: readonly Memory[]
  readonly engine: TestEngine | undefined
}

export interface Stage extends AsyncDisposable {
  /**
   * Sets a scene for an update, and ends whatever is left of the one before. `prepared`: the new release is built and has
   * been asked whether it migrates, as by `--dry-run`.
   */
  scene(update: TriedUpdate, prepared: boolean): Promise<Scene>
}

export interface StageOptions {
  readonly runtime: 'process' | 'docker'
  readonly storage: 'directory' | 'btrfs'
}

const UP_MS = 120_000

/** A scene is a copy of the state folder and of the data, once nothing runs on them any more. */
export async function openStage({ runtime, storage }: StageOptions): Promise<Stage> {
  await using disposables = new AsyncDisposableStack()
  const workshop = disposables.use(await ownWorkshop())
  const engine = runtime === 'docker' ? disposables.use(await engineWithImages()) : undefined
  const appliance = disposables.use(engine ? await dockerAppliance(engine) : await testAppliance())
  if (!engine) await appliance.createConfig()
  const volume = storage === 'btrfs' ? disposables.use(await dataOnBtrfs(appliance)) : undefined
  const { id, beginning } = await makeScene(appliance, workshop)
  const copies = new Copies([appliance.state, ...(volume ? [join(volume.path, 'data')] : [])])
  const end = async () => {
    // First whoever would start containers again: they would go on in data that is thrown away.
    await endAll(id, appliance)
    if (engine) removeAll(engine)
    await endAll(id, appliance)
  }
  const bring = async (name: string) => {
    await end()
    copies.bring(name)
  }
  await end()
  copies.keep('v1')
  let held: TriedUpdate | undefined
  const all = disposables.move()
  return {
    async scene(update, prepared) {
      const isKept = prepared && copies.has(update.name)
      await bring(isKept ? update.name : 'v1')
      if (held !== update) await holdIn(appliance, workshop, update)
      held = update
      if (prepared && !isKept) {
        await prepare(appliance)
        await end()
        copies.keep(update.name)
      }
      return { appliance, beginning, engine }
    },
    async [Symbol.asyncDispose]() {
      await end()
      // Nothing of it is to be stopped in order any more.
      copies.remove()
      await all.disposeAsync()
    },
  }
}

/** Everything that an engine of our own runs; its images stay. */
function removeAll(engine: TestEngine): void {
  const ids = engine.run('ps', '-aq').split('\n').filter(Boolean)
  if (ids.length > 0) engine.run('rm', '--force', ...ids)
  engine.run('network', 'prune', '--force')
}

/** v1 with data. */
async function makeScene(
  appliance: TestAppliance,
  workshop: Workshop,
): Promise<{ readonly id: string; readonly beginning: readonly Memory[] }> {
  const source = join(appliance.home, 'guestbook')
  await cp(await workshop.folder('v1'), source, { recursive: true })
  await appliance.ok('app', 'add', 'guestbook', source, '--host', 'localhost')
  const daemon = await bringUp(appliance, true)
  const beginning = await beginData(appliance)
  const status = await appliance.json<{ appliance: { id: string } }>('status')
  await daemon?.stop()
  return { id: status.appliance.id, beginning }
}

/** Lets the source hold what the application is to be updated to. */
async function holdIn({ home }: TestAppliance, workshop: Workshop, update: TriedUpdate): Promise<void> {
  const source = join(home, 'guestbook')
  await rm(source, { recursive: true })
  await cp(await workshop.folder(update.to), source, { recursive: true })
  await update.change?.(source)
}

async function prepare(appliance: TestAppliance): Promise<void> {
  const daemon = await bringUp(appliance, true)
  await appliance.ok('app', 'update', 'guestbook', '--dry-run')
  await daemon?.stop()
}

/** Starts it with a daemon or without one, and waits until it serves. */
export async function bringUp(
  appliance: TestAppliance,
  withDaemon: boolean,
): Promise<DaemonProcess | undefined> {
  if (!withDaemon) {
    await appliance.ok('up')
    return undefined
  }
  const daemon = await appliance.daemon()
  const isUp = async () =>
    (await appliance.request('/version')).status === 200 &&
    (await appliance.json<StatusDocument>('status')).state === 'running'
  await eventually('the guestbook serves', isUp, UP_MS)
  return daemon
}
