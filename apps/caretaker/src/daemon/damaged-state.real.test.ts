import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { readHistory } from '@caretaker/appliance/jobs/history.ts'
import { down } from '@caretaker/appliance/lifecycle/down.ts'
import { openInForce } from '@caretaker/appliance/lifecycle/open.ts'
import { openLab } from '@caretaker/appliance/lifecycle/testing/lab.fixture.ts'
import { up } from '@caretaker/appliance/lifecycle/up.ts'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { reportState } from '../cli/report-state.ts'
import { type KeptLab, keepLab } from './testing/kept-lab.fixture.ts'

const never = new AbortController().signal
const lab = await openLab({ shop: {}, kiosk: {} })
const at = (...names: string[]) => join(lab.stateFolder, ...names)
let kept: KeptLab

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
  kept = keepLab(lab)
})
afterAll(async () => {
  await kept[Symbol.asyncDispose]()
  await lab[Symbol.asyncDispose]()
})

it('the daemon serves what is whole, goes on with the other jobs, and status says each damage', async () => {
  await kept.eventually('kiosk is served', async () => (await lab.get('kiosk')).status === 200)
  const page = expect.stringContaining('STATE_DAMAGED')
  await expect
    .poll(() => lab.get('shop'), { timeout: 60_000, interval: 50 })
    .toMatchObject({ status: 503, body: page })
  await kept.eventually('another job has its schedule', async () => {
    return (await readHistory(lab.ports.files, lab.stateFolder, 'space-check')).scheduled !== undefined
  })
  await kept.eventually('it is all said', async () => {
    const open = () => openInForce(lab.around, lab.configFile)
    const { state, exit_code, parts } = await reportState(lab.around, open, process.pid)
    const said = parts.map(({ part, code }) => `${part} ${code}`)
    const wanted = ['shop STATE_DAMAGED', 'job log-clean-up STATE_DAMAGED', 'operations JOURNAL_DAMAGED']
    return state === 'degraded' && exit_code === 3 && wanted.every((entry) => said.includes(entry))
  })
  expect(await kept.log()).toContain('the config is in force but not kept')
})
