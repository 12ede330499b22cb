import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createHost } from '@caretaker/host/host.ts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createEngine } from './engine.ts'
import { buildImage, type ImageWork, pullImage } from './images.ts'
import { startTestEngine, type TestEngine } from './testing/engine.fixture.ts'

const ports = createHost()
let engine: TestEngine
let registry: { readonly port: number; readonly process: ChildProcess }
let work: ImageWork
beforeAll(async () => {
  engine = await startTestEngine()
  registry = await startRegistry()
  work = {
    processes: ports.processes,
    engine: createEngine(ports.network, engine.docker.socket),
    docker: engine.docker,
    owner: 'shop',
  }
})
afterAll(async () => {
  if (registry) {
    const { process: started } = registry
    const gone = once(started, 'exit')
    started.kill('SIGTERM')
    await gone
  }
  await engine?.[Symbol.asyncDispose]()
})

/** A registry of Debian on the loopback address. */
async function startRegistry() {
  const port = await ports.network.freePort()
  const config = join(engine.folder, 'registry.yml')
  const storage = { filesystem: { rootdirectory: join(engine.folder, 'registry') } }
  writeFileSync(config, JSON.stringify({ version: 0.1, storage, http: { addr: `127.0.0.1:${port}` } }))
  const started = spawn('docker-registry', ['serve', config], { stdio: 'ignore' })
  const deadline = performance.now() + 120_000
  while (!(await answers(port))) {
    if (performance.now() > deadline) throw new Error('the registry does not answer')
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  return { port, process: started }
}

const answers = (port: number) =>
  ports.network.request({ url: `http://127.0.0.1:${port}/v2/`, timeoutMs: 1000 }).then(
    ({ status }) => status === 200,
    () => false,
  )

/** A build context whose image holds a busybox and a text. */
function context(name: string, text: string, dockerfile?: string): string {
  const folder = join(engine.folder, name)
  mkdirSync(folder, { recursive: true })
  copyFileSync('/usr/bin/busybox', join(folder, 'busybox'))
  writeFileSync(join(folder, 'text'), text)
  const usual = 'FROM scratch\nCOPY busybox /bin/sh\nCOPY text /text\nCMD ["/bin/sh"]\n'
  writeFileSync(join(folder, 'Dockerfile'), dockerfile ?? usual)
  return folder
}

const built = (folder: string, tag: string) =>
  buildImage(work, { folder, dockerfile: undefined, args: {}, tag, label: 'test=1' })

test('an image is pinned to what its name means now, and is the same when it is fetched again', async () => {
  const name = `127.0.0.1:${registry.port}/shop:1`
  await built(context('one', 'one'), name)
  engine.run('push', name)
  const first = await pullImage(work, name)
  expect(first.reference).toMatch(new RegExp(`^127\\.0\\.0\\.1:${registry.port}/shop@sha256:[0-9a-f]{64}$`))
  expect(first.facts.command).toEqual(['/bin/sh'])

  await built(context('two', 'two'), name)
  engine.run('push', name)
  const second = await pullImage(work, name)
  expect(second.reference).not.toBe(first.reference)
  engine.run('image', 'rm', '-f', first.facts.id)
  const again = await pullImage(work, first.reference)
  expect(again.facts.id).toBe(first.facts.id)
})

test('an image that only this machine has is taken by its id', async () => {
  const { reference } = await built(context('own', 'own'), 'own-image:1')
  expect(reference).toMatch(/^sha256:[0-9a-f]{64}$/)
  const progress: string[] = []
  const pinned = await pullImage({ ...work, progress: (line) => progress.push(line) }, `own-image:1`)
  expect(pinned.reference).toBe(reference)
  expect(progress.join('\n')).toContain('the one on this machine is taken')
})

test('what keeps an image from being fetched is told apart', async () => {
  const unused = await ports.network.freePort()
  await expect(pullImage(work, `127.0.0.1:${registry.port}/none:1`)).rejects.toMatchObject({
    code: 'IMAGE_NOT_FOUND',
    exitCode: 10,
  })
  await expect(pullImage(work, `127.0.0.1:${unused}/shop:1`)).rejects.toMatchObject({
    code: 'REGISTRY_UNREACHABLE',
    exitCode: 75,
  })
  await expect(pullImage(work, '--all-tags')).rejects.toMatchObject({ code: 'IMAGE_PULL_FAILED' })
})

test('a build that fails says its last lines', async () => {
  const folder = context('bad', 'bad', 'FROM scratch\nCOPY busybox /bin/sh\nRUN echo no stock; exit 3\n')
  await expect(built(folder, 'bad:1')).rejects.toMatchObject({
    code: 'BUILD_FAILED',
    why: expect.stringContaining('no stock'),
  })
})

test('an engine that does not answer is named with what to do', async () => {
  const dead = createEngine(ports.network, join(engine.folder, 'none.sock'))
  await expect(dead.list([])).rejects.toMatchObject({
    code: 'ENGINE_UNREACHABLE',
    next: expect.stringContaining('systemctl start docker'),
  })
})
