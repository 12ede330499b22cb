import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  type DaemonProcess,
  type StatusDocument,
  type TestAppliance,
  testAppliance,
} from '../support/appliance.ts'
import { eventually } from '../support/observe.ts'

interface Run {
  readonly run: string
  readonly trigger: string
  readonly result: string
  readonly exit_code: number | null
  readonly reason: string | null
  readonly scheduled_for: string | null
  readonly due_times: number
}

/** Every hour, and not while these tests run: a job that is under way would refuse what they do. */
const HOURLY = `${(new Date().getUTCMinutes() + 40) % 60} * * * *`
const COMPOSE = `services:
  web:
    build: { context: . }
    command: [node, server.mjs]
    volumes: ["files:/data"]
    stop_grace_period: 5s
volumes: { files: {} }
x-caretaker:
  version: "1"
  web: { service: web, port: 3000, health: /health }
  data: [files]
  jobs:
    tidy: { schedule: "30 3 29 2 *", command: [node, tidy.mjs, thoroughly], missed: once, timeout: 1m }
    quick: { schedule: "${HOURLY}", command: [node, tidy.mjs], missed: once }
`
const SERVER = `import { createServer } from 'node:http'
process.on('SIGTERM', () => process.exit(0))
createServer((_, response) => response.end('ok')).listen(process.env.PORT, '127.0.0.1')
`
/** Says what it has of the environment; fails when a file tells it to, and waits when that is its job. */
const TIDY = `import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
const folder = process.env.DATA_DIR_FILES
console.log('tidying up in ' + folder)
const thoroughly = process.argv[2] === 'thoroughly'
if (thoroughly) writeFileSync(join(folder, 'began'), '')
if (existsSync(join(folder, 'broken'))) { console.error('no broom'); process.exit(7) }
if (existsSync(join(folder, 'deaf'))) process.on('SIGTERM', () => console.log('not now'))
if (thoroughly && existsSync(join(folder, 'slow'))) setTimeout(() => {}, 60_000)
`

let appliance: TestAppliance
let daemon: DaemonProcess
let data: string
beforeAll(async () => {
  appliance = await testAppliance()
  const source = join(appliance.home, 'shop')
  await mkdir(source)
  await writeFile(join(source, 'compose.yml'), COMPOSE)
  await writeFile(join(source, 'server.mjs'), SERVER)
  await writeFile(join(source, 'tidy.mjs'), TIDY)
  await appliance.createConfig()
  await appliance.ok('app', 'add', 'shop', source, '--host', 'localhost')
  daemon = await appliance.daemon()
  await appliance.ok('job', 'run', 'shop.tidy')
  data = /tidying up in (.+)/.exec((await appliance.ok('job', 'logs', 'shop.tidy')).stdout)?.[1] ?? ''
  expect(data).not.toBe('')
})
afterAll(() => appliance?.[Symbol.asyncDispose]())

const historyOf = async (job: string) =>
  (await appliance.json<{ runs: readonly Run[] }>('job', 'history', job, '--limit', '200')).runs

test('a job runs by hand, and its history and log tell of it', async () => {
  const ran = await appliance.ok('job', 'run', 'shop.tidy')
  expect(ran.stdout + ran.stderr).toContain(`tidying up in ${data}`)
  const [run] = await historyOf('shop.tidy')
  expect(run).toMatchObject({ result: 'done', trigger: 'person', exit_code: 0, scheduled_for: null })
  const log = await appliance.ok('job', 'logs', 'shop.tidy', run?.run ?? '')
  expect(log.stdout).toContain(`tidying up in ${data}`)
  expect(await readFile(join(appliance.state, 'audit.jsonl'), 'utf8')).toContain('run the job shop.tidy')
})

test('the jobs are listed with their last and next run', async () => {
  const { jobs, daemon_running } = await appliance.json<{
    jobs: readonly Record<string, unknown>[]
    daemon_running: boolean
  }>('job', 'list')
  expect(daemon_running).toBe(true)
  expect(jobs.map((job) => job.job)).toEqual([
    'certificates',
    'log-clean-up',
    'space-check',
    'expiry',
    'shop.tidy',
    'shop.quick',
  ])
  expect(jobs[4]).toMatchObject({ app: 'shop', last_result: 'done', missed: 'once', timeout_ms: 60_000 })
  expect(jobs[4]?.next_run_at).toMatch(/-02-29T03:30:00\.000Z$/)
  for (const name of ['certificates', 'log-clean-up', 'space-check', 'expiry'])
    await appliance.ok('job', 'run', name)
})

test('a name that is not known is met with the one that was probably meant', async () => {
  const typo = await appliance.run('job', 'run', 'shop.tiddy')
  expect(typo.code).toBe(2)
  expect(typo.stderr).toContain('Did you mean "shop.tidy"?')
  expect((await appliance.run('job', 'history', 'tidy')).stderr).toContain('Did you mean "shop.tidy"?')
  expect((await appliance.run('job', 'logs', 'shop.tidy', 'none')).code).toBe(2)
})

test('a job that fails makes the appliance degraded until it succeeds', async () => {
  await writeFile(join(data, 'broken'), '')
  const failed = await appliance.run('job', 'run', 'shop.tidy')
  expect(failed.code).toBe(1)
  expect(failed.stderr).toContain('no broom')
  expect((await historyOf('shop.tidy'))[0]).toMatchObject({ result: 'failed', exit_code: 7 })
  const degraded = await appliance.json<StatusDocument>('status')
  expect(degraded).toMatchObject({ state: 'degraded', code: 'JOB_FAILED', serving: true })
  expect(JSON.stringify(degraded)).toContain('job shop.tidy')
  await rm(join(data, 'broken'))
  await appliance.ok('job', 'run', 'shop.tidy')
  const after = JSON.stringify(await appliance.json<StatusDocument>('status'))
  expect(after).not.toContain('job shop.tidy')
})

test('in service mode it does not run, and the own jobs go on', async () => {
  await appliance.ok('service', 'on', 'New shelves')
  const refused = await appliance.run('job', 'run', 'shop.tidy')
  expect(refused.code).toBe(1)
  expect(refused.stderr).toContain('New shelves')
  expect((await historyOf('shop.tidy'))[0]).toMatchObject({ result: 'skipped' })
  await appliance.ok('job', 'run', 'space-check')
  await appliance.ok('service', 'off')
})

/** Runs the job that waits; resolves when its program is under way. */
async function beginSlowJob() {
  await writeFile(join(data, 'slow'), '')
  await rm(join(data, 'began'))
  const running = appliance.start('job', 'run', 'shop.tidy')
  await eventually('the job has begun', () =>
    readFile(join(data, 'began')).then(
      () => true,
      () => false,
    ),
  )
  return running
}

async function expectStopped(): Promise<void> {
  const running = await beginSlowJob()
  const stopped = await appliance.ok('job', 'stop', 'shop.tidy')
  expect(stopped.stdout).toContain('shop.tidy was stopped')
  const ran = await running.ran
  expect(ran.code).toBe(130)
  expect(ran.stderr).toContain('stopped it (command line)')
  const [run] = await historyOf('shop.tidy')
  expect(run).toMatchObject({ result: 'cancelled', trigger: 'person' })
  expect(run?.reason).toMatch(/^\S+ stopped it \(command line\)$/)
}

test('a person stops a job that runs in the daemon; one that will not end is ended', async () => {
  const idle = await appliance.run('job', 'stop', 'shop.tidy')
  expect(idle.code).toBe(1)
  expect(idle.stderr).toContain('it does not run')
  expect((await appliance.run('job', 'stop', 'shop.tidi')).code).toBe(2)
  await expectStopped()
  const audit = await readFile(join(appliance.state, 'audit.jsonl'), 'utf8')
  expect(audit).toContain('"purpose":"stop the job shop.tidy"')
  await writeFile(join(data, 'deaf'), '')
  await expectStopped()
  expect((await appliance.ok('job', 'logs', 'shop.tidy')).stdout).toContain('not now')
  await rm(join(data, 'deaf'))
  // It says nothing about whether the job works.
  expect(JSON.stringify(await appliance.json<StatusDocument>('status'))).not.toContain('job shop.tidy')
  await rm(join(data, 'slow'))
  await appliance.ok('job', 'run', 'shop.tidy')
})

test('a run is not lost when the daemon is killed in it', async () => {
  const running = await beginSlowJob()
  const refused = await appliance.run('down')
  expect(refused.code).toBe(11)
  expect(refused.stderr).toContain('job shop.tidy')
  const { web } = await appliance.pids()
  if (web !== undefined) process.kill(web, 'SIGKILL')
  await eventually('what crashes is started again while the job goes on', async () => {
    const now = (await appliance.pids())['web']
    return now !== undefined && now !== web && (await appliance.request('/')).status === 200
  })
  expect((await historyOf('shop.tidy'))[0]).toMatchObject({ result: 'running' })
  await daemon.kill()
  await running.ran
  expect((await historyOf('shop.tidy'))[0]).toMatchObject({ result: 'interrupted', trigger: 'person' })
  await rm(join(data, 'slow'))
  daemon = await appliance.daemon()
  await eventually('its end is in the history', async () =>
    (await readFile(join(appliance.state, 'jobs', 'shop.tidy.jsonl'), 'utf8')).includes('"interrupted"'),
  )
})

test('what is missed while the daemon is off is caught up once', async () => {
  await daemon.stop()
  // As if it had been off since the night before: its schedule counts from then on.
  const at = new Date(Date.now() - 12 * 3_600_000).toISOString()
  const scheduled = { type: 'scheduled', at, pattern: HOURLY, zone: 'UTC' }
  await writeFile(join(appliance.state, 'jobs', 'shop.quick.jsonl'), `${JSON.stringify(scheduled)}\n{"torn`)
  const certificates = { ...scheduled, at: new Date(Date.now() - 50 * 3_600_000), pattern: '20 4 * * *' }
  await writeFile(join(appliance.state, 'jobs', 'certificates.jsonl'), `${JSON.stringify(certificates)}\n`)
  daemon = await appliance.daemon()
  await eventually('the jobs were looked after', async () => {
    const [own, quick] = await Promise.all([historyOf('certificates'), historyOf('shop.quick')])
    return own[0]?.result === 'done' && quick[0]?.result === 'done'
  })
  const own = await historyOf('certificates')
  expect(own).toHaveLength(1)
  expect(own[0]).toMatchObject({ trigger: 'catch-up' })
  const missed = (await historyOf('shop.quick')).filter((run) => run.due_times > 10)
  expect(missed).toHaveLength(1)
})

test('a person stops a job that a command runs without a daemon', async () => {
  await daemon.stop()
  await expectStopped()
  await rm(join(data, 'slow'))
})
