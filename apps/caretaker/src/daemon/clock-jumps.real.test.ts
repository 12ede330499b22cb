import { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { readHistory } from '@caretaker/appliance/jobs/history.ts'
import { serviceOff, serviceOn } from '@caretaker/appliance/lifecycle/manual-service.ts'
import { status } from '@caretaker/appliance/lifecycle/status.ts'
import { type Lab, openLab } from '@caretaker/appliance/lifecycle/testing/lab.fixture.ts'
import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from '@caretaker/kernel/time.ts'
import { listOperations } from '@caretaker/steps/operations.ts'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createDaemonLog } from './daemon-log.ts'
import { Keeper } from './keeper.ts'

const never = new AbortController().signal
const stop = new AbortController()

let lab: Lab
let keeper: Keeper
let kept: Promise<void>
const logFile = () => join(lab.stateFolder, 'logs', 'appliance', 'daemon.log')

/** The loops of the daemon, in this process, so that a test can set their clock. */
beforeAll(async () => {
  lab = await openLab({ shop: { worker: true } })
  const places = { stateFolder: lab.stateFolder, configFile: lab.configFile, programs: lab.around.programs }
  const options = { around: lab.around, configFile: lab.configFile, places, pagePort: 0, signal: stop.signal }
  keeper = new Keeper(options, createDaemonLog(lab.ports, logFile()))
  kept = keeper.run(stop.signal)
  await eventually('it is up', async () => (await told('the appliance is up')) > 0)
  expect((await stateNow()).state).toBe('running')
  await eventually('the jobs have a schedule', async () => (await scheduleOf('space-check')) !== undefined)
}, 60_000)
afterAll(async () => {
  stop.abort()
  await kept
  await lab[Symbol.asyncDispose]()
})

async function eventually(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 45_000
  while (!(await isSo().catch(() => false))) {
    if (performance.now() > deadline)
      throw new Error(`not within 45 s: ${what}\n${await readFile(logFile(), 'utf8').catch(String)}`)
    await pause(50)
  }
}

const stateNow = async () => status((await lab.open()).appliance, process.pid)
const runsOf = async (job: string) => (await readHistory(lab.ports.files, lab.stateFolder, job)).runs
const scheduleOf = async (job: string) => (await readHistory(lab.ports.files, lab.stateFolder, job)).scheduled
const caughtUp = async (job: string) => (await runsOf(job)).filter(({ trigger }) => trigger === 'catch-up')
const told = async (text: string) => (await readFile(logFile(), 'utf8')).split(text).length - 1

/** Sets the wall clock, and waits until the daemon has noticed and looked at everything. */
async function jumpTo(aheadMs: number): Promise<void> {
  const before = await told('the clock was set')
  lab.clock.aheadMs = aheadMs
  await eventually('it notices', async () => (await told('the clock was set')) > before)
}

/** Kills the worker; gives how long it took until it ran again, in ms. */
async function killWorker(): Promise<number> {
  const worker = async () => (await lab.open()).appliance.runtime.status('shop', 'worker')
  const before = await worker()
  if (!before?.identity) throw new Error('the worker does not run')
  await lab.ports.processes.signal(before.identity, 'SIGKILL')
  const startedMs = performance.now()
  await eventually('the worker runs again', async () => {
    const now = await worker()
    return now?.state === 'running' && now.pid !== before.pid
  })
  return performance.now() - startedMs
}

it('ahead by a day: what was missed is done once, and what ends is started again as soon as ever', async () => {
  await jumpTo(DAY_MS)
  await eventually('the missed job', async () => (await caughtUp('certificates'))[0]?.result === 'done')
  expect(await killWorker()).toBeLessThan(30 * SECOND_MS)
  expect(await caughtUp('certificates')).toHaveLength(1)
  expect((await runsOf('space-check')).map(({ result, due_times }) => [result, due_times > 20])).toEqual([
    ['skipped', true],
  ])
  await eventually('all is well', async () => (await stateNow()).state === 'running')
  expect((await stateNow()).parts).toEqual([])
})

it('back by two days: nothing is done again, and the jobs of every hour go on', async () => {
  const back = Date.now() - DAY_MS
  // A second before five past, when the space is looked at.
  const fivePast = Math.floor(back / HOUR_MS) * HOUR_MS + HOUR_MS + 5 * MINUTE_MS
  await jumpTo(fivePast - 2 * SECOND_MS - Date.now())
  await eventually('the hourly job', async () => {
    const last = (await runsOf('space-check')).at(-1)
    return last?.trigger === 'schedule' && last.result === 'done'
  })
  expect(await killWorker()).toBeLessThan(30 * SECOND_MS)
  expect(await caughtUp('certificates')).toHaveLength(1)
  expect((await runsOf('certificates')).filter(({ started_at }) => started_at !== null)).toHaveLength(1)
  expect(
    (await runsOf('space-check')).every(({ duration_ms }) => duration_ms === null || duration_ms >= 0),
  ).toBe(true)
})

it('over the end of the certificates and before their beginning: they are made anew by itself', async () => {
  for (const aheadMs of [500 * DAY_MS, -30 * DAY_MS, 0]) {
    await jumpTo(aheadMs)
    await eventually('a certificate that is valid now', async () => {
      const { appliance } = await lab.open()
      const served = (await appliance.gateway.status()).certificates
      const present = (await lab.ports.files.list(appliance.folders.certificates)) ?? []
      const valid = present
        .filter(({ name }) => name.endsWith('.crt'))
        .map(async ({ name }) => {
          const pem = await readFile(join(appliance.folders.certificates, name), 'utf8')
          const { validFromDate, validToDate, fingerprint256 } = new X509Certificate(pem)
          const now = lab.clock.now()
          const isServed = served.some(
            ({ fingerprint }) => fingerprint === fingerprint256.replaceAll(':', '').toLowerCase(),
          )
          return validFromDate <= now && now < validToDate && (isServed || name === 'ca.crt')
        })
      return valid.length > 1 && (await Promise.all(valid)).every(Boolean)
    })
    expect((await lab.getUnverified('shop')).status).toBe(200)
    await eventually('all is well', async () => (await stateNow()).state === 'running')
  }
})

it('service mode with a planned end stays until a person ends it', async () => {
  const { appliance } = await lab.open()
  const until = new Date(Date.now() + HOUR_MS).toISOString()
  const on = async () => serviceOn(appliance, { reason: 'Counting', until }, () => undefined, never)
  await keeper.command(on, { decides: true })
  for (const aheadMs of [DAY_MS, -DAY_MS, 0]) {
    await jumpTo(aheadMs)
    expect(await stateNow()).toMatchObject({ state: 'manual-service', until, parts: [] })
    expect((await lab.getUnverified('shop')).status).toBe(503)
  }
  await keeper.command(async () => serviceOff(appliance, () => undefined, never), { decides: true })
  await eventually('it serves', async () => (await lab.get('shop')).status === 200)
})

it('every operation of these years has an id of its own, and they are listed as they came', async () => {
  const audit = await readFile(join(lab.stateFolder, 'audit.jsonl'), 'utf8')
  const came = audit
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as { operation: string; result: string; step: string })
    .flatMap(({ operation }) => operation)
  const listed = (await listOperations(lab.ports.files, lab.stateFolder)).map(({ operation }) => operation)
  expect(listed.length).toBeGreaterThan(5)
  expect(listed.toReversed()).toEqual([...new Set(came)].filter((operation) => listed.includes(operation)))
})
