import { readdirSync, statSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestEngine } from '@caretaker/appliance/runtime/docker/testing/engine.fixture.ts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { StatusDocument, TestAppliance } from '../support/appliance.ts'
import { configure, dockerAppliance, engineWithImages } from './docker-appliance.ts'

/** A compose file of which each part shows in the answers of its web service, or in what the engine holds. */
const FILES = {
  'compose.yml': `
services:
  prepare:
    build: .
    command: [node, prepare.mjs]
    volumes: [files:/data]
  web:
    build: .
    command: node web.mjs 'two words'
    environment: { TOKEN: }
    depends_on: { prepare: { condition: service_completed_successfully } }
    volumes: [files:/data]
    read_only: true
    tmpfs: /scratch
    mem_limit: 256m
    pids_limit: 60
    init: true
  worker:
    build: .
    command: [node, worker.mjs]
    environment: { TOKEN: }
    depends_on: { web: { condition: service_healthy } }
volumes: { files: {} }
x-caretaker:
  version: "1"
  web: { service: web, port: 8080, health: / }
  data: [files]
`,
  Dockerfile: `FROM node:24-slim
WORKDIR /app
COPY . .
RUN install -d -o node -g node /data
USER node
HEALTHCHECK --interval=1s CMD node check.mjs
`,
  'prepare.mjs': `import { appendFileSync } from 'node:fs'
appendFileSync('/data/prepared', 'once\\n')`,
  'web.mjs': `import { readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
const writes = (path) => { try { writeFileSync(path, ''); return true } catch { return false } }
process.on('SIGTERM', () => process.exit(0))
createServer((_request, response) => response.end(JSON.stringify({
  word: process.argv[2], token: process.env.TOKEN, uid: process.getuid(), prepared: readFileSync('/data/prepared', 'utf8'),
  writes: ['/data/x', '/scratch/x', '/app/x'].map(writes),
}))).listen(process.env.PORT)`,
  'worker.mjs': `process.on('SIGTERM', () => process.exit(0))
setInterval(() => {}, 1000)`,
  'check.mjs': `process.exit(process.env.TOKEN && (await fetch(process.env.WEB_URL)).ok ? 0 : 1)`,
}
const TOKEN = `it's a "token" $HOME`

let engine: TestEngine
let appliance: TestAppliance
beforeAll(async () => {
  engine = await engineWithImages()
  appliance = await dockerAppliance(engine)
  const source = join(appliance.home, 'source')
  await mkdir(source)
  for (const [name, text] of Object.entries(FILES)) await writeFile(join(source, name), text)
  const shapes = { source, hosts: ['localhost'], secrets: { TOKEN } }
  await configure(appliance, { applications: { shapes } })
  engine.run('run', '--detach', '--name', 'stranger', 'node:24-slim', 'sleep', '3600')
  await appliance.ok('up')
})
afterAll(async () => {
  await appliance?.[Symbol.asyncDispose]()
  await engine?.[Symbol.asyncDispose]()
})

const answer = async () => JSON.parse((await appliance.request('/')).body) as Record<string, unknown>
const ours = () =>
  engine.run('ps', '-aq', '--filter', 'label=caretaker.appliance').split('\n').filter(Boolean)

test('commands, secrets, users, volumes and a read-only image are as the compose file says', async () => {
  expect(await answer()).toEqual({
    word: 'two words',
    token: TOKEN,
    uid: 1000,
    prepared: 'once\n',
    writes: [true, true, false],
  })
  const [web] = JSON.parse(
    engine.run(
      'inspect',
      ...engine.run('ps', '-q', '--filter', 'label=caretaker.service=web').trim().split('\n'),
    ),
  ) as [{ HostConfig: Record<string, unknown> }]
  expect(web.HostConfig).toMatchObject({
    Memory: 256 * 1024 * 1024,
    PidsLimit: 60,
    ReadonlyRootfs: true,
    Init: true,
    RestartPolicy: { Name: 'no' },
    LogConfig: { Type: 'json-file', Config: { 'max-size': '10485760', 'max-file': '3' } },
  })
})

test('what does one thing ran before the others, and once; a second up does nothing', async () => {
  expect((await appliance.ok('up')).stdout).toMatch(/nothing/i)
  const services = (await appliance.json<StatusDocument>('status')).apps[0]?.services
  expect(services?.map(({ service, state }) => `${service} ${state}`)).toEqual([
    'prepare stopped',
    'web running',
    'worker running',
  ])
  expect((await answer()).prepared).toBe('once\n')
})

test('an image that was removed is built again by up', async () => {
  await appliance.ok('down')
  const images = engine
    .run('images', '-q', '--filter', 'label=caretaker.appliance')
    .split('\n')
    .filter(Boolean)
  engine.run('image', 'rm', '-f', ...new Set(images))
  await appliance.ok('up')
  expect((await answer()).word).toBe('two words')
})

test('a container that was made and never started is taken away; those of others are never touched', async () => {
  const id = engine
    .run('inspect', '-f', '{{index .Config.Labels "caretaker.appliance"}}', ours()[0] as string)
    .trim()
  const labels = [
    `caretaker.appliance=${id}`,
    'caretaker.app=shapes',
    'caretaker.service=web',
    'caretaker.caller=1.1',
  ]
  const left = engine.run('create', ...labels.flatMap((label) => ['--label', label]), 'node:24-slim').trim()
  await appliance.ok('down')
  expect(ours()).toEqual([])
  expect(engine.run('ps', '-aq', '--no-trunc')).not.toContain(left)
  expect(engine.run('inspect', '-f', '{{.State.Running}}', 'stranger').trim()).toBe('true')
  const files = join(appliance.state, 'data/units/shapes/current/files/files')
  expect(readdirSync(files).toSorted()).toEqual(['prepared', 'x'])
  expect(statSync(join(files, 'x')).uid).toBe(1000)
})

test('a build that fails stops before anything else, and names its last lines', async () => {
  const source = join(appliance.home, 'source')
  await writeFile(join(source, 'Dockerfile'), 'FROM node:24-slim\nRUN echo the shelf is empty; exit 4\n')
  await configure(appliance, {
    applications: { other: { source, hosts: ['localhost'], secrets: { TOKEN } } },
  })
  const failed = await appliance.run('up')
  expect(failed.code).not.toBe(0)
  expect(failed.stderr).toMatch(/BUILD_FAILED/)
  expect(failed.stderr).toContain('the shelf is empty')
  expect(ours()).toEqual([])
})
