import { createHash } from 'node:crypto'
import { lstat, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { keepLastGood } from '../config/last-good.ts'
import type { Finding, SeenDaemon } from './doctor/finding.ts'
import { examine } from './doctor.ts'
import { type Eyes, faultsOf } from './testing/doctor-faults.fixture.ts'
import { openLab } from './testing/lab.fixture.ts'
import { up } from './up.ts'

const FEWEST = 25

const lab = await openLab({ shop: { database: true }, kiosk: {} })
afterAll(() => lab[Symbol.asyncDispose]())
// A user nobody else has processes of: what other tests leave behind for a moment is none of ours.
const findUser = lab.ports.machine.findUser.bind(lab.ports.machine)
lab.ports.machine.findUser = () => findUser('games')
const { appliance, loaded } = await lab.open()
const { folders, storage } = appliance
const logs = folders.logs
const faults = faultsOf(lab, { ...folders, postgres: join(storage.unitPath('shop'), 'postgres') })

beforeAll(async () => {
  const report = await up(appliance, { firstStart: false }, () => undefined, new AbortController().signal)
  expect(report).toMatchObject({ exit_code: 0 })
  await keepLastGood(lab.ports, lab.stateFolder, loaded)
  // The names of the lab lead nowhere; these lead here.
  lab.ports.network.resolve = async () => ['127.0.0.1']
})

const here: SeenDaemon = { pid: process.pid, version: '0.0.0-test' }
const look = (eyes: Eyes = {}) =>
  examine(
    {
      ...lab.around,
      ports: { ...lab.ports, ...eyes.ports },
      programs: { ...lab.around.programs, ...eyes.programs },
    },
    lab.configFile,
    'daemon' in eyes ? eyes.daemon : here,
  )

const problems = (findings: readonly Finding[]) => findings.filter(({ result }) => result !== 'ok')

it('finds nothing on a healthy appliance', async () => {
  expect(problems(await look())).toEqual([])
})

describe('a planted fault', () => {
  it('is one of many', () => expect(faults.length).toBeGreaterThanOrEqual(FEWEST))

  it.each(faults)('%s: %s, with the next step, and nothing is changed', async (_name, code, make) => {
    const planted = await make()
    const { mend, eyes } = typeof planted === 'function' ? { mend: planted, eyes: {} } : planted
    try {
      const before = await contents()
      const findings = await look(eyes)
      const found = findings.find((finding) => finding.code === code)
      expect(found, JSON.stringify(problems(findings), null, 1)).toBeDefined()
      expect(found?.next).toMatch(
        /caretaker |chmod|chown|"|^(Put|Set|Unless|Remove|Mount|Install|Look|Free|Attach|Take|Correct)/,
      )
      expect(found?.what).not.toMatch(/\n\s+at |undefined|\[object/)
      expect(await contents()).toEqual(before)
    } finally {
      await mend?.()
    }
  })

  it('and when all are mended nothing is left', async () => {
    expect(problems(await look())).toEqual([])
  })
})

/** Everything in the state folder but what running programs write by themselves. */
async function contents(): Promise<Readonly<Record<string, string>>> {
  const found: Record<string, string> = {}
  const walk = async (folder: string): Promise<void> => {
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name)
      if (entry.name === 'postgres' || path.startsWith(`${logs}/`)) continue
      const { mode, mtimeMs } = await lstat(path)
      if (entry.isDirectory()) {
        found[path] = `${mode} ${mtimeMs}`
        await walk(path)
      } else if (entry.isFile()) {
        found[path] = `${mode} ${mtimeMs} ${createHash('sha256')
          .update(await readFile(path))
          .digest('hex')}`
      }
    }
  }
  await walk(lab.stateFolder)
  return found
}
