import { readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { status } from '@caretaker/appliance/lifecycle/status.ts'
import { type Lab, openLab } from '@caretaker/appliance/lifecycle/testing/lab.fixture.ts'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createDaemonLog } from './daemon-log.ts'
import { Keeper } from './keeper.ts'

const stop = new AbortController()

let lab: Lab
let kept: Promise<void>
const logFile = () => join(lab.stateFolder, 'logs', 'appliance', 'daemon.log')

beforeAll(async () => {
  lab = await openLab({ shop: { database: true } })
  const places = { stateFolder: lab.stateFolder, configFile: lab.configFile, programs: lab.around.programs }
  const options = { around: lab.around, configFile: lab.configFile, places, pagePort: 0, signal: stop.signal }
  kept = new Keeper(options, createDaemonLog(lab.ports, logFile())).run(stop.signal)
  await eventually('it is up', async () => (await stateNow()).state === 'running')
}, 120_000)
afterAll(async () => {
  stop.abort()
  await kept
  await lab[Symbol.asyncDispose]()
})

async function eventually(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 90_000
  while (!(await isSo().catch(() => false))) {
    if (performance.now() > deadline)
      throw new Error(`not within 90 s: ${what}\n${await readFile(logFile(), 'utf8')}`)
    await pause(50)
  }
}

const stateNow = async () => status((await lab.open()).appliance, process.pid)

it('a data volume that goes away is told by status at once, nothing is served without it, and all is when it is back', async () => {
  const { data } = (await lab.open()).appliance.folders
  expect((await lab.get('shop', '/first', 'POST')).status).toBe(200)
  await rename(data, `${data}.away`)
  // Whoever looks first: the daemon has seen it, or it is seen just now.
  expect(await stateNow()).toMatchObject({
    code: 'STORAGE_ABSENT',
    exit_code: expect.toSatisfy((code) => code !== 0),
  })
  // Whoever looks now reads why: the page comes before the stop.
  let answer = await lab.get('shop', '/health')
  while (answer.status === 200) answer = await lab.get('shop', '/health')
  expect(answer.status).toBe(503)
  expect(JSON.parse(answer.body)).toMatchObject({ code: 'STORAGE_ABSENT' })
  expect(await stateNow()).toMatchObject({ state: 'no-storage', code: 'STORAGE_ABSENT', serving: false })
  await eventually('all has ended', async () =>
    (await (await lab.open()).appliance.runtime.list()).every(({ app }) => app === '-'),
  )
  expect(await lab.ports.files.stat(data)).toBeUndefined()

  await rename(`${data}.away`, data)
  await eventually('it serves', async () => (await lab.get('shop')).body.includes('first'))
  await eventually('all is well', async () => (await stateNow()).state === 'running')
  const log = await readFile(logFile(), 'utf8')
  expect(log.split('the data volume has gone')).toHaveLength(2)
  expect(log.split('the data volume is back')).toHaveLength(2)
}, 240_000)
