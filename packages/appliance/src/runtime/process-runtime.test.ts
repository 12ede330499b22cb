import { FakeClock } from '@caretaker/ports/fake-clock.ts'
import { FakeNetwork } from '@caretaker/ports/fake-network.ts'
import { FakeProcesses } from '@caretaker/ports/fake-processes.ts'
import { MemoryFiles } from '@caretaker/ports/memory-files.ts'
import { expect, it } from 'vitest'
import { DEFAULT_STOP } from './defaults.ts'
import { findOwnProcesses } from './own-processes.ts'
import { createProcessRuntime } from './process-runtime.ts'
import type { ServiceSpec } from './runtime.ts'

const SPEC: ServiceSpec = {
  app: 'shop',
  service: 'web',
  releaseId: '1',
  command: ['node'],
  cwd: '/',
  env: {},
  owner: undefined,
  logFile: '/logs/web.log',
  stop: DEFAULT_STOP,
  health: undefined,
  restart: 'always',
}

it('a copy of a state folder neither knows nor ends what runs from the original', async () => {
  const [files, processes, clock] = [new MemoryFiles(), new FakeProcesses(), new FakeClock()]
  const network = new FakeNetwork()
  await files.makeFolder('/logs')
  const open = (folder: string) =>
    createProcessRuntime({ files, processes, clock, network }, { applianceId: 'a', folder, pid: 1 })
  const original = open('/state/processes')
  await original.start(SPEC)
  await files.makeFolder('/copy/processes')
  const record = (await files.readText('/state/processes/shop.web.json')) ?? ''
  await files.write('/copy/processes/shop.web.json', record)
  const copy = open('/copy/processes')

  expect(await findOwnProcesses(processes, 'a', '/state/processes')).toHaveLength(1)
  expect(await findOwnProcesses(processes, 'a', '/copy/processes')).toEqual([])
  expect(await copy.list()).toEqual([])
  expect(await copy.endLeftovers()).toEqual([])
  expect(await copy.damaged()).toEqual([])
  await copy.start(SPEC)
  await copy.stop('shop', 'web')
  await files.write('/copy/processes/shop.web.json', record)
  await copy.stop('shop', 'web')
  expect(await original.status('shop', 'web')).toMatchObject({ state: 'running' })
})

it('what was started and never recorded is ended', async () => {
  const [files, processes, clock] = [new MemoryFiles(), new FakeProcesses(), new FakeClock()]
  const network = new FakeNetwork()
  await files.makeFolder('/logs')
  const runtime = createProcessRuntime(
    { files, processes, clock, network },
    { applianceId: 'a', folder: '/state/processes', pid: 1 },
  )
  await runtime.start(SPEC)
  await files.remove('/state/processes/shop.web.json')
  expect(await runtime.endLeftovers()).toMatchObject([{ app: 'shop', service: 'web' }])
  expect(await findOwnProcesses(processes, 'a', '/state/processes')).toEqual([])
})
