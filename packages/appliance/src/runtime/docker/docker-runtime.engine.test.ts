import { fileURLToPath } from 'node:url'
import { createHost } from '@caretaker/host/host.ts'
import { applianceId, readableId } from '@caretaker/kernel/ids.ts'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { describeRuntime, type RuntimeUnderTest } from '../conformance.ts'
import { DEFAULT_STOP } from '../defaults.ts'
import type { ServiceSpec } from '../runtime.ts'
import { spawnElsewhere } from '../testing/elsewhere-process.fixture.ts'
import { createDockerRuntime } from './docker-runtime.ts'
import type { ElsewhereTask } from './testing/elsewhere.fixture.ts'
import { startTestEngine, type TestEngine } from './testing/engine.fixture.ts'
import { makeNodeImage } from './testing/images.fixture.ts'

const ELSEWHERE = fileURLToPath(new URL('./testing/elsewhere.fixture.ts', import.meta.url))

let engine: TestEngine
beforeAll(async () => {
  engine = await startTestEngine()
  makeNodeImage(engine, 'test-node:1')
})
afterAll(async () => {
  await engine[Symbol.asyncDispose]()
})

describeRuntime('docker', { keepsRecords: false, orphansLive: false }, () => make())

it('never touches what an appliance has whose id begins alike', async () => {
  const first = await make()
  const id = engine.run('ps', '-q', '--filter', 'label=caretaker.appliance').trim()
  expect(id).toBe('')
  const spec: ServiceSpec = {
    app: 'shop',
    service: 'web',
    releaseId: '1',
    command: [first.node, '-e', 'setInterval(() => {}, 1000)'],
    cwd: first.folder,
    env: {},
    owner: undefined,
    logFile: `${first.folder}/web.log`,
    stop: DEFAULT_STOP,
    health: undefined,
    restart: 'always',
    ...(first.container ? { container: first.container } : {}),
  }
  await first.runtime.start(spec)
  const present = engine.run('ps', '-q', '--no-trunc').trim()
  const owner = engine.run('inspect', '-f', '{{index .Config.Labels "caretaker.appliance"}}', present).trim()
  const second = await make(`${owner.slice(0, -1)}${owner.endsWith('0') ? '1' : '0'}`)
  await expect(second.runtime.start(spec)).rejects.toMatchObject({
    code: 'ENGINE_FAILED',
    why: expect.stringContaining(`belongs to the appliance ${owner}`),
  })
  expect(engine.run('ps', '-q', '--no-trunc').trim()).toBe(present)
  expect(await second.runtime.list()).toEqual([])
  await first.cleanUp()
})

async function make(id = applianceId()): Promise<RuntimeUnderTest> {
  const ports = createHost()
  const folder = `${engine.folder}/${readableId(8)}`
  await ports.files.makeFolder(folder, 0o755)
  const options = {
    ...engine.docker,
    applianceId: id,
    folder: `${folder}/records`,
    secretFolder: `${folder}/secrets`,
  }
  const runtime = createDockerRuntime(ports, { ...options, pid: process.pid })
  const processesOf = (...filters: readonly string[]) =>
    engine
      .run(
        'ps',
        '-q',
        ...[`label=caretaker.appliance=${id}`, ...filters].flatMap((filter) => ['--filter', filter]),
      )
      .split('\n')
      .filter((container) => container !== '')
      .reduce(
        (sum, container) => sum + engine.run('top', container, '-o', 'pid').trim().split('\n').length - 1,
        0,
      )
  return {
    runtime,
    next: createDockerRuntime(createHost(), { ...options, pid: process.pid }),
    node: '/usr/bin/node',
    folder,
    owner: undefined,
    container: {
      image: 'test-node:1',
      volumes: [{ name: 'all', folder, target: folder, readOnly: false }],
      binds: [],
      settings: {},
    },
    readText: (path) => ports.files.readText(path),
    countAlive: async (app, service) =>
      service === undefined
        ? processesOf(`label=caretaker.app=${app}`, 'label=caretaker.once')
        : processesOf(`label=caretaker.app=${app}`, `label=caretaker.service=${service}`),
    async kill(app, service) {
      const pid = (await runtime.status(app, service))?.pid
      if (pid !== undefined) process.kill(pid, 'SIGKILL')
    },
    async loseRecord() {
      throw new Error('a container is its own record')
    },
    async elsewhere(spec, command) {
      const env = { OUT: `${folder}/out` }
      const task: ElsewhereTask = { options, spec: { ...spec, env }, command }
      return spawnElsewhere(ELSEWHERE, task)
    },
    async cleanUp() {
      const left = engine
        .run('ps', '-aq', '--filter', `label=caretaker.appliance=${id}`)
        .split('\n')
        .filter(Boolean)
      if (left.length > 0) engine.run('rm', '-f', ...left)
    },
  }
}
