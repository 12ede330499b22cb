import { FakeClock } from '@caretaker/ports/fake-clock.ts'
import { FakeMachine } from '@caretaker/ports/fake-machine.ts'
import { FakeNetwork } from '@caretaker/ports/fake-network.ts'
import { FakeProcesses } from '@caretaker/ports/fake-processes.ts'
import { MemoryFiles } from '@caretaker/ports/memory-files.ts'
import { beforeEach, describe, expect, it } from 'vitest'
import { DEFAULT_HEALTH, DEFAULT_STOP } from './defaults.ts'
import { probeHealth, startLimitMs, waitHealthy } from './health.ts'
import { createProcessRuntime } from './process-runtime.ts'
import type { HealthSpec, Runtime, ServiceSpec } from './runtime.ts'

const WEB: HealthSpec = { ...DEFAULT_HEALTH, probe: { kind: 'http', port: 3000, path: '/health' } }
const URL_ASKED = 'http://127.0.0.1:3000/health'
const never = new AbortController().signal

let clock: FakeClock
let network: FakeNetwork
const machine = new FakeMachine()
let processes: FakeProcesses
let files: MemoryFiles
let runtime: Runtime
beforeEach(async () => {
  clock = new FakeClock()
  network = new FakeNetwork()
  processes = new FakeProcesses()
  files = new MemoryFiles()
  await files.makeFolder('/logs')
  runtime = createProcessRuntime(
    { files, processes, clock, network },
    { applianceId: 'a', folder: '/records', pid: 1 },
  )
})

function spec(health: HealthSpec | undefined): ServiceSpec {
  return {
    app: 'shop',
    service: 'web',
    releaseId: '1',
    command: ['node'],
    cwd: '/',
    env: {},
    owner: undefined,
    logFile: '/logs/web.log',
    stop: DEFAULT_STOP,
    health,
    restart: 'always',
  }
}

describe('probeHealth', () => {
  it('does not count what another user answers on the port, and names him', async () => {
    await runtime.start(spec(WEB))
    network.on(URL_ASKED, { status: 200 }).listen(3000, { pid: 77, program: 'nc' }, 65534)
    expect(await probeHealth({ network, machine }, runtime, spec(WEB), never)).toEqual({
      state: 'unhealthy',
      why: 'port 3000 is held by "nc" (pid 77) of another user (uid 65534)',
    })
    const owner = { uid: 65534, gid: 65534 }
    expect(await probeHealth({ network, machine }, runtime, { ...spec(WEB), owner }, never)).toEqual({
      state: 'healthy',
    })
  })

  it.each([
    [200, 'healthy', undefined],
    [302, 'healthy', undefined],
    [404, 'unhealthy', '/health answers 404: nothing  here'],
    [500, 'unhealthy', '/health answers 500: nothing  here'],
  ])('takes the answer %i for %s', async (status, state, why) => {
    await runtime.start(spec(WEB))
    network.on(URL_ASKED, { status, body: 'nothing\n here' })
    const health = await probeHealth({ network, machine }, runtime, spec(WEB), never)
    expect(health).toEqual(why === undefined ? { state } : { state, why: why.replace('  ', ' ') })
  })

  it('keeps pages and long texts out of the reason', async () => {
    await runtime.start(spec(WEB))
    network.on(URL_ASKED, { status: 500, body: `<html>${'x'.repeat(5000)}` })
    expect(await probeHealth({ network, machine }, runtime, spec(WEB), never)).toEqual({
      state: 'unhealthy',
      why: '/health answers 500',
    })
  })

  it('says when nobody answers, and when it does not run at all', async () => {
    expect(await probeHealth({ network, machine }, runtime, spec(WEB), never)).toEqual({
      state: 'unhealthy',
      why: 'it does not run',
    })
    await runtime.start(spec(WEB))
    const health = await probeHealth({ network, machine }, runtime, spec(WEB), never)
    expect(health).toMatchObject({
      why: expect.stringContaining('/health does not answer: connect ECONNREFUSED'),
    })
  })

  it('runs a health command and says what it complained about', async () => {
    const byCommand: HealthSpec = { ...DEFAULT_HEALTH, probe: { kind: 'command', command: ['check', '-q'] } }
    await runtime.start(spec(byCommand))
    expect(await probeHealth({ network, machine }, runtime, spec(byCommand), never)).toEqual({
      state: 'healthy',
    })
    processes.on('check', { exitCode: 2, stderr: 'queue is full\n' })
    expect(await probeHealth({ network, machine }, runtime, spec(byCommand), never)).toEqual({
      state: 'unhealthy',
      why: 'its health command ended with 2: queue is full',
    })
    processes.on('check', { exitCode: undefined, signal: 'SIGKILL', timedOut: true })
    expect(await probeHealth({ network, machine }, runtime, spec(byCommand), never)).toMatchObject({
      why: 'its health command did not end in time',
    })
  })
})

describe('waitHealthy', () => {
  const ports = () => ({ network, machine, clock, files })

  /** Moves the clock until the waiting is over; gives the error and how long it took. */
  async function wait(health: HealthSpec | undefined, during: (elapsedMs: number) => void = () => undefined) {
    const began = clock.monotonicMs()
    let isOver = false
    const waiting = waitHealthy(ports(), runtime, spec(health), never).then(
      () => undefined,
      (error: unknown) => error,
    )
    void waiting.then(() => {
      isOver = true
    })
    while (!isOver) {
      during(clock.monotonicMs() - began)
      await clock.advance(50)
      await new Promise((resolve) => setImmediate(resolve))
    }
    return { error: await waiting, elapsedMs: clock.monotonicMs() - began }
  }

  it('returns as soon as the service is healthy', async () => {
    await runtime.start(spec(WEB))
    const { error, elapsedMs } = await wait(WEB, (ms) => {
      if (ms >= 3000) network.on(URL_ASKED, { status: 200 })
    })
    expect(error).toBeUndefined()
    expect(elapsedMs).toBeLessThan(5000)
  })

  it('gives up after the start limit, with the last answer and the last lines of the log', async () => {
    await runtime.start(spec(WEB))
    await files.write('/logs/web.log', 'opening\nno stock\n')
    network.on(URL_ASKED, { status: 503, body: 'closed' })
    const { error, elapsedMs } = await wait(WEB)
    expect(error).toMatchObject({
      code: 'SERVICE_UNHEALTHY',
      why: '/health answers 503: closed, for 60 s; it last wrote: opening | no stock',
    })
    expect(elapsedMs).toBeGreaterThanOrEqual(startLimitMs(WEB))
  })

  it('gives up at once when it ends', async () => {
    await runtime.start(spec(WEB))
    await files.write('/logs/web.log', 'the till is jammed\n')
    const { pid = 0 } = (await runtime.status('shop', 'web')) ?? {}
    const { error, elapsedMs } = await wait(WEB, (ms) => {
      if (ms === 200) processes.exit(pid, { exitCode: 1 })
    })
    expect(error).toMatchObject({
      code: 'SERVICE_START_FAILED',
      why: 'it ended right after its start; it last wrote: the till is jammed',
      next: expect.stringContaining('caretaker logs shop web'),
    })
    expect(elapsedMs).toBeLessThan(1500)
  })

  it('waits a moment for a service without a probe, most of which end soon when they end', async () => {
    await runtime.start(spec(undefined))
    expect((await wait(undefined)).error).toBeUndefined()
    await runtime.stop('shop', 'web')
    await runtime.start(spec(undefined))
    const { pid = 0 } = (await runtime.status('shop', 'web')) ?? {}
    const { error } = await wait(undefined, (ms) => {
      if (ms === 300) processes.exit(pid, { exitCode: 1 })
    })
    expect(error).toMatchObject({ code: 'SERVICE_START_FAILED' })
  })

  it('is cancelled, and does not blame the service for that', async () => {
    await runtime.start(spec(WEB))
    const cancel = new AbortController()
    cancel.abort()
    await expect(waitHealthy(ports(), runtime, spec(WEB), cancel.signal)).rejects.toMatchObject({
      code: 'CANCELLED',
    })
  })
})

it('allows at least half a minute for a start', () => {
  const times = { intervalMs: 100, timeoutMs: 100, retries: 1, startPeriodMs: 0 }
  expect(startLimitMs({ ...WEB, ...times })).toBe(30_000)
  expect(startLimitMs({ ...WEB, ...times, startPeriodMs: 60_000, retries: 3 })).toBe(60_600)
})
