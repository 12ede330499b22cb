import { cp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestEngine } from '@caretaker/appliance/runtime/docker/testing/engine.fixture.ts'
import { dockerAppliance, engineWithImages, makeBaseImage } from '../docker/docker-appliance.ts'
import { type Ran, type TestAppliance, testAppliance } from '../support/appliance.ts'
import { dataOnBtrfs } from '../support/btrfs.ts'
import { ownWorkshop } from '../support/people.ts'
import type { Release } from '../support/releases.ts'

/** An appliance with guestbook v1 up, whose source can be exchanged. */
export interface UpdateBed extends AsyncDisposable {
  readonly appliance: TestAppliance
  /** Of the containers; undefined where they are processes. */
  readonly engine: TestEngine | undefined
  readonly source: string
  /** Puts another release where the source of guestbook is; `change` may alter it. */
  offer(release: Release, change?: (folder: string) => Promise<void>): Promise<void>
  /** `caretaker app update guestbook`, without a rehearsal. */
  update(): Promise<Ran>
}

/** Its data lies on a btrfs of its own; its services are containers of an engine of its own, or processes. Needs root. */
export async function updateBed(runtime: 'docker' | 'process'): Promise<UpdateBed> {
  await using disposables = new AsyncDisposableStack()
  const workshop = disposables.use(await ownWorkshop())
  const engine = runtime === 'docker' ? disposables.use(await engineWithImages()) : undefined
  const appliance = engine ? await dockerAppliance(engine) : await testAppliance()
  if (!engine) await appliance.createConfig()
  disposables.use(await dataOnBtrfs(appliance))
  disposables.use(appliance)
  const source = join(appliance.home, 'guestbook')
  const offer: UpdateBed['offer'] = async (release, change) => {
    await rm(source, { recursive: true, force: true })
    await cp(await workshop.folder(release), source, { recursive: true })
    if (engine) await buildFrom(source, makeOwnBase(engine))
    await change?.(source)
  }
  await offer('v1')
  await appliance.ok('app', 'add', 'guestbook', source, '--host', 'localhost')
  await appliance.ok('up')
  const all = disposables.move()
  return {
    appliance,
    engine,
    source,
    offer,
    update: () => appliance.run('app', 'update', 'guestbook', '--no-rehearsal', 'a test'),
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  }
}

/** Nothing answers there: what is built from this name needs the image to be on this machine. */
export const OWN_BASE = '127.0.0.1:1/node:24'

/** The image that the releases of a bed are built from, under a name that no registry knows; made anew where it is gone. */
export function makeOwnBase(engine: TestEngine): string {
  if (engine.run('image', 'ls', '--quiet', 'node:24-slim') === '') makeBaseImage(engine)
  engine.run('tag', 'node:24-slim', OWN_BASE)
  return OWN_BASE
}

async function buildFrom(folder: string, base: string): Promise<void> {
  const file = join(folder, 'Dockerfile')
  await writeFile(file, (await readFile(file, 'utf8')).replaceAll('node:24-slim', base))
}

/** Gives a release of guestbook another version. */
export async function relabel(folder: string, version: string): Promise<void> {
  const file = join(folder, 'compose.yml')
  const text = await readFile(file, 'utf8')
  await writeFile(file, text.replace('version: "1"', `version: "${version}"`))
}
