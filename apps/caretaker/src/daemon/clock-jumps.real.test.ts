import { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { readHistory } from '@caretaker/appliance/jobs/history.ts'
import { serviceOff, serviceOn } from '@caretaker/appliance/lifecycle/manual-service.ts'
import { type Lab, openLab } from '@caretaker/appliance/lifecycle/testing/lab.fixture.ts'
import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from '@caretaker/kernel/time.ts'
import { listOperations } from '@caretaker/steps/operations.ts'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type KeptLab, keepLab } from './testing/kept-lab.fixture.ts'

const never = new AbortController().signal
/** For what shows a moment after what brings it about. */
const SOON = { timeout: 60_000, interval: 50 }

let lab: Lab
let kept: KeptLab
beforeAll(async () => {
  lab = await openLab({ shop: { worker: true } })
  kept = keepLab(lab)
  await kept.eventually('it is up', async () => (await kept.told('the appliance is up')) > 0)
  await kept.eventually('it runs', async () => (await kept.state()).state === 'running')
  await kept.eventually(
    'the jobs have a schedule',
    async () => (await scheduleOf('space-check')) !== undefined,
  )
})
afterAll(async () => {
  await kept[Symbol.asyncDispose]()
  await lab[Symbol.asyncDispose]()
})

const runsOf = async (job: string) => (await readHistory(lab.ports.files, lab.stateFolder, job)).runs
const scheduleOf = async (job: string) => (await readHistory(lab.ports.files, lab.stateFolder, job)).scheduled
const caughtUp = async (job: string) => (await runsOf(job)).filter(({ trigger }) => trigger === 'catch-up')

/** Sets the wall clock, and waits until the daemon has noticed and looked at everything. */
async function jumpTo(aheadMs: number): Promise<void> {
  const before = await kept.told('the clock was set')
  lab.clock.aheadMs = aheadMs
  await kept.eventually('it notices', async () => (await kept.told('the clock was set')) > before)
}

/** Kills the worker and waits until it runs again: not for the hours by which the clock was set. */
async function killWorker(): Promise<void> {
  const worker = async () => (await lab.open()).appliance.runtime.status('shop', 'worker')
  let before: Awaited<ReturnType<typeof worker>>
  await kept.eventually('the worker runs', async () => (before = await worker())?.state === 'running')
  if (!before?.identity) throw new Error('the worker has no process')
  await lab.ports.processes.signal(before.identity, 'SIGKILL')
  await kept.eventually('the worker runs again', async () => {
    const now = await worker()
    return now?.state === 'running' && now.pid !== before?.pid
  })
}

it('ahead by a day: what was missed is done once, and what ends is started again as soon as ever', async () => {
  await jumpTo(DAY_MS)
  await kept.eventually('the missed job', async () => (await caughtUp('certificates'))[0]?.result === 'done')
  await killWorker()
  expect(await caughtUp('certificates')).toHaveLength(1)
  // The one of this hour may have come in the meantime.
  const looked = await runsOf('space-check')
  expect(looked.filter(({ result }) => result === 'skipped')).toHaveLength(1)
  expect(looked.find(({ result }) => result === 'skipped')?.due_times).toBeGreaterThan(20)
  await expect.poll(() => kept.state(), SOON).toMatchObject({ state: 'running', parts: [] })
})

it('back by two days: nothing is done again, and the jobs of every hour go on', async () => {
  const back = Date.now() - DAY_MS
  // A second before five past, when the space is looked at.
  const fivePast = Math.floor(back / HOUR_MS) * HOUR_MS + HOUR_MS + 5 * MINUTE_MS
  await jumpTo(fivePast - 2 * SECOND_MS - Date.now())
  await kept.eventually('the hourly job', async () => {
    const last = (await runsOf('space-check')).at(-1)
    return last?.trigger === 'schedule' && last.result === 'done'
  })
  await killWorker()
  expect(await caughtUp('certificates')).toHaveLength(1)
  expect((await runsOf('certificates')).filter(({ started_at }) => started_at !== null)).toHaveLength(1)
  expect(
    (await runsOf('space-check')).every(({ duration_ms }) => duration_ms === null || duration_ms >= 0),
  ).toBe(true)
})

it('over the end of the certificates and before their beginning: they are made anew by itself', async () => {
  for (const aheadMs of [500 * DAY_MS, -30 * DAY_MS, 0]) {
    await jumpTo(aheadMs)
    await kept.eventually('a certificate that is valid now', async () => {
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
    await kept.eventually('it serves', async () => (await lab.getUnverified('shop')).status === 200)
    await expect.poll(() => kept.state(), SOON).toMatchObject({ state: 'running' })
  }
})

it('service mode with a planned end stays until a person ends it', async () => {
  const { appliance } = await lab.open()
  const until = new Date(Date.now() + HOUR_MS).toISOString()
  const on = async () => serviceOn(appliance, { reason: 'Counting', until }, () => undefined, never)
  await kept.keeper.command(on, { decides: true })
  for (const aheadMs of [DAY_MS, -DAY_MS, 0]) {
    await jumpTo(aheadMs)
    await expect.poll(() => kept.state(), SOON).toMatchObject({ state: 'manual-service', until, parts: [] })
    expect((await lab.getUnverified('shop')).status).toBe(503)
  }
  await kept.keeper.command(async () => serviceOff(appliance, () => undefined, never), { decides: true })
  await kept.eventually('it serves', async () => (await lab.get('shop')).status === 200)
})

it('every operation of these years has an id of its own, and they are listed as they came', async () => {
  // What has been listed stands in the audit log, which is read after it.
  const listed = (await listOperations(lab.ports.files, lab.stateFolder)).map(({ operation }) => operation)
  const audit = await readFile(join(lab.stateFolder, 'audit.jsonl'), 'utf8')
  const came = audit
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as { operation: string; result: string; step: string })
    .flatMap(({ operation }) => operation)
  expect(listed.length).toBeGreaterThan(5)
  expect(listed.toReversed()).toEqual([...new Set(came)].filter((operation) => listed.includes(operation)))
})
