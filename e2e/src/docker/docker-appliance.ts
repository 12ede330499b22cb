import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  startTestEngine,
  type TestEngine,
} from '@caretaker/appliance/runtime/docker/testing/engine.fixture.ts'
import {
  makeNodeImage,
  makePostgresImage,
} from '@caretaker/appliance/runtime/docker/testing/images.fixture.ts'
import { parseDocument } from 'yaml'
import { DIST, type Person, ROOT, type TestAppliance, testAppliance } from '../support/appliance.ts'

/** The pinned pnpm, which the Dockerfile of guestbook would fetch. */
const PNPM = join(ROOT, '.tools/node_modules/@pnpm/exe.linux-x64/pnpm')
/** The major of which Debian 12 has a server. */
export const MAJOR = 15

/** An engine with the images that guestbook and its database are made from. */
export async function engineWithImages(): Promise<TestEngine> {
  const engine = await startTestEngine()
  makeBaseImage(engine)
  makePostgresImage(engine, `postgres:${MAJOR}`, MAJOR)
  return engine
}

/** What guestbook is built from. */
export function makeBaseImage(engine: TestEngine): void {
  makeNodeImage(engine, 'node:24-slim', [PNPM])
}

/** An appliance with a config whose applications run in containers of `engine`. */
export async function dockerAppliance(
  engine: TestEngine,
  { person, dist }: { readonly person?: Person | undefined; readonly dist: string } = { dist: DIST },
): Promise<TestAppliance> {
  const appliance = await testAppliance(person, dist, engine.docker.environment)
  await appliance.createConfig()
  await configure(appliance, { runtime: 'docker', docker: { socket: engine.docker.socket } })
  await configure(appliance, { postgres: { major: MAJOR } })
  return appliance
}

/** Sets values of the config. */
export async function configure(
  { state }: TestAppliance,
  values: Readonly<Record<string, unknown>>,
): Promise<void> {
  const file = join(state, 'appliance.yml')
  const document = parseDocument(await readFile(file, 'utf8'))
  for (const [key, value] of Object.entries(values)) document.setIn(['caretaker', key], value)
  await writeFile(file, document.toString({ lineWidth: 0 }))
}
