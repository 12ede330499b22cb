import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { readHistory } from '@caretaker/appliance/jobs/history.ts'
import { down } from '@caretaker/appliance/lifecycle/down.ts'
import { openInForce } from '@caretaker/appliance/lifecycle/open.ts'
import { openLab } from '@caretaker/appliance/lifecycle/testing/lab.fixture.ts'
import { up } from '@caretaker/appliance/lifecycle/up.ts'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { reportState } from '../cli/report-state.ts'
import { createDaemonLog } from './daemon-log.ts'
import { Keeper } from './keeper.ts'

const never = new AbortController().signal
const stop = new AbortController()
const lab = await openLab({ shop: {}, kiosk: {} })
const at = (...names: string[]) => join(lab.stateFolder, ...names)
const logFile = at('logs', 'appliance', 'daemon.log')
let kept: Promise<void> | undefined

/** As a power cut leaves a machine: all stopped, files of zeros, and in other places folders. */
beforeAll(async () => {
  const { appliance } = await lab.open()
  expect((await up(appliance, { firstStart: false }, () => undefined, never)).errors).toEqual([])
  await down(appliance, { remember: false }, () => undefined, never)
  for (const name of ['shop.json', 'shop.json.copy']) await writeFile(at('apps', name), '\u0000'.repeat(300))
  const folders = [at('last-good-config.json'), at('jobs', 'log-clean-up.jsonl'), at('operations', 'x.jsonl')]
  for (const path of folders) {
    await rm(path, { force: true })
    await mkdir(path, { recursive: true })
  }
  const places = { stateFolder: lab.stateFolder, configFile: lab.configFile, programs: lab.around.programs }
  const options = { around: lab.around, configFile: lab.configFile, places, pagePort: 0, signal: stop.signal }
  kept = new Keeper(options, createDaemonLog(lab.ports, logFile)).run(stop.signal)
}, 60_000)
afterAll(async () => {
  stop.abort()
  await kept
  await lab[Symbol.asyncDispose]()
})

async function eventually(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 60_000
  while (!(await isSo().catch(() => false))) {
    if (performance.now() > deadline)
      throw new Error(`not in time: ${what}\n${await readFile(logFile, 'utf8')}`)
    await pause(100)
  }
}

it('the daemon serves what is whole, goes on with the other jobs, and status says each damage', async () => {
  await eventually('kiosk is served', async () => (await lab.get('kiosk')).status === 200)
  const page = await lab.get('shop')
  expect([page.status, page.body]).toEqual([503, expect.stringContaining('STATE_DAMAGED')])
  await eventually('another job has its schedule', async () => {
    return (await readHistory(lab.ports.files, lab.stateFolder, 'space-check')).scheduled !== undefined
  })
  await eventually('it is all said', async () => {
    const open = () => openInForce(lab.around, lab.configFile)
    const { state, exit_code, parts } = await reportState(lab.around, open, process.pid)
    const said = parts.map(({ part, code }) => `${part} ${code}`)
    const wanted = ['shop STATE_DAMAGED', 'job log-clean-up STATE_DAMAGED', 'operations JOURNAL_DAMAGED']
    return state === 'degraded' && exit_code === 3 && wanted.every((entry) => said.includes(entry))
  })
  expect(await readFile(logFile, 'utf8')).toContain('the config is in force but not kept')
})
