import { createServer, type Server } from 'node:http'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { readAppRecord } from './app-records.ts'
import { type KeptUp, UpKeeper } from './keep-up.ts'
import { observeApps } from './observe.ts'
import { status } from './status.ts'
import { type Lab, openLab } from './testing/lab.fixture.ts'
import { up } from './up.ts'

const never = new AbortController().signal
const quiet = () => undefined
const isRoot = process.getuid?.() === 0

let lab: Lab
const thieves: Server[] = []
beforeAll(async () => {
  lab = await openLab({ shop: { worker: true } })
  expect((await up((await lab.open()).appliance, { firstStart: false }, quiet, never)).errors).toEqual([])
})
afterAll(async () => {
  for (const thief of thieves) thief.close()
  await lab[Symbol.asyncDispose]()
})

const portOfWeb = async () => {
  const { appliance } = await lab.open()
  return (await readAppRecord(lab.ports.files, appliance.folders.apps, 'shop')).ports.web as number
}

/** Kills the web service of shop and takes its port, as any other program of the machine can. */
async function stealPort(): Promise<number> {
  const { appliance } = await lab.open()
  const port = await portOfWeb()
  const web = await appliance.runtime.status('shop', 'web')
  if (!web?.identity) throw new Error('web does not run')
  await lab.ports.processes.signal(web.identity, 'SIGKILL')
  await lab.ports.processes.waitForExit(web.identity, AbortSignal.timeout(60_000))
  const thief = createServer((_request, response) => response.end('stolen'))
  thieves.push(thief)
  await new Promise<void>((resolve) => thief.listen(port, '127.0.0.1', resolve))
  return port
}

it('gives ports that no outgoing connection is given', async () => {
  const range = (await lab.ports.files.readText('/proc/sys/net/ipv4/ip_local_port_range')) ?? ''
  expect(await portOfWeb()).toBeLessThan(Number.parseInt(range, 10))
})

it('a service whose port was taken is started again on another, and the daemon hands nothing to the thief', async () => {
  const { appliance } = await lab.open()
  const keeper = new UpKeeper()
  await keeper.tend(appliance, never)
  const worker = await appliance.runtime.status('shop', 'worker')
  const stolen = await stealPort()
  const done: KeptUp[] = []
  const deadline = performance.now() + 60_000
  let answer: Awaited<ReturnType<Lab['get']>> | undefined
  do {
    done.push(...(await keeper.tend(appliance, never)))
    answer = await lab.get('shop')
    expect(answer.body).not.toBe('stolen')
  } while (answer.status !== 200 && performance.now() < deadline)
  expect(answer).toMatchObject({ status: 200, body: expect.stringContaining('hello') })
  expect(await portOfWeb()).not.toBe(stolen)
  expect(done).toContainEqual(expect.objectContaining({ service: 'web', did: 'started it again' }))
  if (isRoot) {
    expect(done[0]?.because).toContain(`port ${stolen} is held by`)
    expect(done[0]?.because).toContain(`(pid ${process.pid}) of another user (uid 0)`)
  }
  // The others know its new address.
  const again = await appliance.runtime.status('shop', 'worker')
  expect(again).toMatchObject({ state: 'running' })
  expect(again?.pid).not.toBe(worker?.pid)
})

it('"up" does the same without a daemon', async () => {
  const stolen = await stealPort()
  const { appliance } = await lab.open()
  expect((await up(appliance, { firstStart: false }, quiet, never)).errors).toEqual([])
  expect(await portOfWeb()).not.toBe(stolen)
  expect((await lab.get('shop')).body).toContain('hello')
})

it.runIf(isRoot)('a port that another user took beside a running service is no way to it', async () => {
  const { appliance } = await lab.open()
  const port = await portOfWeb()
  const web = await appliance.runtime.status('shop', 'web')
  // The service runs, as it does before it listens; its port is the other's already.
  await stealPort()
  const { files } = lab.ports
  const record = `${appliance.folders.processes}/shop.web.json`
  const runs = { ...JSON.parse((await files.readText(record)) ?? ''), identity: await ownIdentity() }
  await files.write(record, JSON.stringify(runs))
  expect(web?.pid).not.toBe(process.pid)
  expect((await observeApps(appliance))[0]?.upstream).toBeUndefined()
  expect(await status(appliance, process.pid)).toMatchObject({
    code: 'PORT_IN_USE',
    reason: expect.stringContaining(`port ${port} is held by`),
  })
  await files.remove(record)
})

/** This very test stands for a service that runs: it is ours to ask, not to signal. */
async function ownIdentity() {
  const stat = (await lab.ports.files.readText('/proc/self/stat')) ?? ''
  const startTicks = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19])
  return { pid: process.pid, startTicks, bootId: await lab.ports.machine.bootId() }
}
