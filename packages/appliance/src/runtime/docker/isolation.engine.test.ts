import { execFileSync } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createHost } from '@caretaker/host/host.ts'
import { applianceId } from '@caretaker/kernel/ids.ts'
import { waitUntil } from '@caretaker/ports/deadline.ts'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { DEFAULT_STOP } from '../defaults.ts'
import type { Runtime, ServiceSpec } from '../runtime.ts'
import { bridgeName } from './close-network.ts'
import { projectOf } from './compose-file.ts'
import { createDockerRuntime } from './docker-runtime.ts'
import { startTestEngine, type TestEngine } from './testing/engine.fixture.ts'
import { makeNodeImage } from './testing/images.fixture.ts'

const never = new AbortController().signal
const ports = createHost()
const id = applianceId()
const servers: Server[] = []
let engine: TestEngine
let runtime: Runtime
beforeAll(async () => {
  engine = await startTestEngine()
  makeNodeImage(engine, 'test-node:1')
  runtime = createDockerRuntime(ports, {
    ...engine.docker,
    applianceId: id,
    folder: `${engine.folder}/records`,
    secretFolder: `${engine.folder}/secrets`,
    pid: process.pid,
  })
})
afterAll(async () => {
  for (const server of servers) server.close()
  for (const { app, service } of await runtime.list()) await runtime.stop(app, service)
  await engine?.[Symbol.asyncDispose]()
})

const SERVE = `require('node:http').createServer((q, s) => s.end('served')).listen(8080)`

const spec = (app: string, service: string, isKept: boolean): ServiceSpec => ({
  app,
  service,
  releaseId: '1',
  command: ['/usr/bin/node', '-e', SERVE],
  cwd: '/',
  env: {},
  owner: undefined,
  logFile: `${engine.folder}/logs/${app}.${service}.log`,
  stop: { ...DEFAULT_STOP, graceMs: 1000 },
  health: undefined,
  restart: 'always',
  container: { image: 'test-node:1', volumes: [], binds: [], settings: {} },
  ...(isKept ? { isolation: { name: app, hide: [], show: [], mailFolder: '/none', ports: [] } } : {}),
})

/** What asking a URL gives: the answer, or why there is none. */
async function ask(app: string, isKept: boolean, url: string): Promise<string> {
  const script = `fetch('${url}', { signal: AbortSignal.timeout(3000) }).then(async (r) => console.log(await r.text()),
    () => console.log('nothing'))`
  const command = ['/usr/bin/node', '-e', script]
  const result = await runtime.runOnce(spec(app, 'web', isKept), command, { timeoutMs: 60_000 }, never)
  return result.stdout.trim()
}

it('a clone in containers reaches its own services and nobody else, and this machine reaches it', async () => {
  const server = createServer((_request, response) => response.end('this machine'))
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '0.0.0.0', resolve))
  const { port } = server.address() as AddressInfo

  for (const [app, isKept] of [
    ['shop', false],
    ['clone', true],
  ] as const)
    for (const service of ['web', 'other']) await runtime.start(spec(app, service, isKept))
  const gatewayOf = (app: string) =>
    engine.run('network', 'inspect', projectOf(id, app), '-f', '{{(index .IPAM.Config 0).Gateway}}').trim()
  const production = (await runtime.status('shop', 'web'))?.address
  const clone = (await runtime.status('clone', 'web'))?.address
  const answer = await waitUntil(ports.clock, { timeoutMs: 120_000 }, async () =>
    ports.network.request({ url: `http://${clone}:8080/`, timeoutMs: 2000 }).catch(() => undefined),
  )
  expect(answer?.body).toBe('served')
  expect(await ask('clone', true, 'http://other:8080/')).toBe('served')

  // What is not reached from the clone can be reached from elsewhere.
  expect(await ask('shop', false, `http://${gatewayOf('shop')}:${port}/`)).toBe('this machine')
  expect(await ask('shop', false, `http://${production}:8080/`)).toBe('served')
  expect(await ask('clone', true, `http://${gatewayOf('clone')}:${port}/`)).toBe('nothing')
  expect(await ask('clone', true, `http://${gatewayOf('shop')}:${port}/`)).toBe('nothing')
  expect(await ask('clone', true, `http://${production}:8080/`)).toBe('nothing')
  expect(await ask('shop', false, `http://${clone}:8080/`)).toBe('nothing')

  const name = `require('node:dns').lookup('name.example.org', (e) => console.log(e ? 'no name' : 'a name'))`
  const look = async (app: string, isKept: boolean) =>
    (
      await runtime.runOnce(
        spec(app, 'web', isKept),
        ['/usr/bin/node', '-e', name],
        { timeoutMs: 60_000 },
        never,
      )
    ).stdout.trim()
  let asked = 0
  const names = createSocket('udp4', () => asked++)
  names.bind(53, '127.0.0.1')
  await once(names, 'listening')
  expect(await look('clone', true)).toBe('no name')
  names.close()
  expect(asked, 'questions about names that reached this machine').toBe(0)

  for (const service of ['web', 'other']) await runtime.stop('clone', service)
  const rules = execFileSync('iptables', ['--list-rules', 'INPUT'], { encoding: 'utf8' })
  expect(rules).not.toContain(bridgeName(projectOf(id, 'clone')))
})
