import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createHost } from '@caretaker/host/host.ts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { LABEL } from '../runtime/docker/compose-file.ts'
import { createEngine } from '../runtime/docker/engine.ts'
import { buildImage } from '../runtime/docker/images.ts'
import { startTestEngine, type TestEngine } from '../runtime/docker/testing/engine.fixture.ts'
import type { Appliance } from './appliance.ts'
import { removeOldImages } from './release-images.ts'

const ports = createHost()
let engine: TestEngine
beforeAll(async () => {
  engine = await startTestEngine()
})
afterAll(() => engine?.[Symbol.asyncDispose]())

/** Builds an image; gives its id. */
async function build(text: string, owner: string): Promise<string> {
  const folder = join(engine.folder, text)
  mkdirSync(folder)
  copyFileSync('/usr/bin/busybox', join(folder, 'busybox'))
  writeFileSync(join(folder, 'text'), text)
  writeFileSync(
    join(folder, 'Dockerfile'),
    'FROM scratch\nCOPY busybox /bin/sh\nCOPY text /text\nCMD ["/bin/sh"]\n',
  )
  const { reference } = await buildImage(
    {
      processes: ports.processes,
      engine: createEngine(ports.network, engine.docker.socket),
      docker: engine.docker,
      owner: 'shop',
    },
    {
      folder,
      dockerfile: undefined,
      args: {},
      tag: `shop/web:${text}`,
      label: `${LABEL.appliance}=${owner}`,
    },
  )
  return reference
}

test('images that were built for releases that are gone go, and no others', async () => {
  const stateFolder = join(engine.folder, 'state')
  const release = join(stateFolder, 'releases/shop/2-aaaa')
  mkdirSync(release, { recursive: true })
  const [old, kept, used, others] = [
    await build('old', 'own'),
    await build('kept', 'own'),
    await build('used', 'own'),
    await build('others', 'another'),
  ]
  writeFileSync(
    join(release, 'release.json'),
    JSON.stringify({ format: 1, app: 'shop', releaseId: '2-aaaa' }),
  )
  writeFileSync(join(release, 'images.json'), JSON.stringify({ web: { reference: kept } }))
  engine.run('create', '--name', 'made-of-it', used)

  const config = { id: 'own', docker: { socket: engine.docker.socket } } as Appliance['config']
  expect(await removeOldImages({ ports, stateFolder, config })).toEqual([old])
  const there = engine.run('image', 'ls', '--no-trunc', '--quiet').split('\n').filter(Boolean)
  expect(there.toSorted()).toEqual([kept, used, others].toSorted())
  engine.run('rm', 'made-of-it')
  expect(await removeOldImages({ ports, stateFolder, config })).toEqual([used])
})
