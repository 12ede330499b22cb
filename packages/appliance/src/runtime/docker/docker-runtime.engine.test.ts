import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { createHost } from '@caretaker/host/host.ts'
import { applianceId, readableId } from '@caretaker/kernel/ids.ts'
import { afterAll, beforeAll } from 'vitest'
import { describeRuntime, type RuntimeUnderTest } from '../conformance.ts'
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

describeRuntime('docker', { keepsRecords: false, orphansLive: false }, make)

async function make(): Promise<RuntimeUnderTest> {
  const ports = createHost()
  const id = applianceId()
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
      const child = spawn(process.execPath, [ELSEWHERE, JSON.stringify(task)], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      await once(child.stdout, 'data')
      return {
        async die() {
          const gone = once(child, 'exit')
          child.kill('SIGKILL')
          await gone
        },
      }
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
