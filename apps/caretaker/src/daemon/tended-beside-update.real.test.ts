import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Answer, type Lab, openLab } from '@caretaker/appliance/lifecycle/testing/lab.fixture.ts'
import { type ChangeReport, updateApp } from '@caretaker/appliance/lifecycle/update-app.ts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createDaemonLog } from './daemon-log.ts'
import { eventually } from './eventually.fixture.ts'
import { Keeper } from './keeper.ts'

const never = new AbortController().signal
const stop = new AbortController()

let lab: Lab
let keeper: Keeper
let kept: Promise<void>
const logFile = () => join(lab.stateFolder, 'logs', 'appliance', 'daemon.log')
const isUp = async () => (await readFile(logFile(), 'utf8')).includes('the appliance is up')

beforeAll(async () => {
  lab = await openLab({ shop: { database: true, migrates: true }, kiosk: {} })
  const places = { stateFolder: lab.stateFolder, configFile: lab.configFile, programs: lab.around.programs }
  const options = { around: lab.around, configFile: lab.configFile, places, pagePort: 0, signal: stop.signal }
  keeper = new Keeper(options, createDaemonLog(lab.ports, logFile()))
  kept = keeper.run(stop.signal)
  await eventually('it is up', isUp)
}, 180_000)
afterAll(async () => {
  stop.abort()
  await kept
  await lab?.[Symbol.asyncDispose]()
})

/** Kills a service; gives what it ran as. */
async function kill(app: string, service: string): Promise<number> {
  const found = await (await lab.open()).appliance.runtime.status(app, service)
  if (!found?.identity) throw new Error(`${service} of ${app} does not run`)
  await lab.ports.processes.signal(found.identity, 'SIGKILL')
  return found.pid
}

const runsAnew = (app: string, service: string, than: number) =>
  eventually(`${service} of ${app} runs again`, async () => {
    const now = await (await lab.open()).appliance.runtime.status(app, service)
    return now?.state === 'running' && now.pid !== than
  })

/** Begins an update of the shop, as a command of a person, and waits until this step is under way. */
async function updateUntil(kind: string) {
  const { promise: isThere, resolve: begun } = Promise.withResolvers<void>()
  const update = { isOver: false, ended: Promise.resolve<ChangeReport | undefined>(undefined) }
  const work = async () =>
    updateApp(
      await lab.open(),
      { app: 'shop', to: undefined, noRehearsal: 'a test' },
      (event) => {
        if (event.type === 'step-started' && event.step.endsWith(kind)) begun()
      },
      never,
    )
  update.ended = keeper.command(work, { decides: false }).finally(() => {
    update.isOver = true
  })
  await Promise.race([isThere, update.ended])
  return update
}

test('while one application migrates, another one is started again, and who waits for the first goes on waiting', async () => {
  await lab.apps['shop']?.release('2')
  await lab.apps['shop']?.breakFrom('2', 'migration-hangs')
  lab.clock.speed = 0.4
  const update = await updateUntil('data.migrate')
  let answered: Answer | undefined
  const waiting = lab.get('shop').then((answer) => {
    answered = answer
    return answer
  })
  const killed = await kill('kiosk', 'web')
  await runsAnew('kiosk', 'web', killed)
  await eventually('the kiosk serves', async () => (await lab.get('kiosk')).status === 200)
  expect(update.isOver).toBe(false)
  expect(answered).toBeUndefined()
  lab.clock.speed = 20
  expect(await update.ended).toMatchObject({ exit_code: 4, errors: [{ code: 'MIGRATION_FAILED' }] })
  lab.clock.speed = 1
  expect((await waiting).status).toBe(200)
})

test('while the new release starts beside the old one, their database is started again', async () => {
  await lab.apps['shop']?.release('3', { database: true })
  await lab.apps['shop']?.breakFrom('3', 'unhealthy')
  lab.clock.speed = 0.4
  const update = await updateUntil('service.start')
  const killed = await kill('shop', 'postgres')
  await runsAnew('shop', 'postgres', killed)
  expect(update.isOver).toBe(false)
  lab.clock.speed = 20
  expect(await update.ended).toMatchObject({ exit_code: 4 })
  lab.clock.speed = 1
  await eventually('the old release serves', async () => (await lab.get('shop')).status === 200)
})
