import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { toAppError } from '@caretaker/kernel/errors.ts'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { keepLastGood } from '../config/last-good.ts'
import { examine } from './doctor.ts'
import { down } from './down.ts'
import { openInForce } from './open.ts'
import { status } from './status.ts'
import { openLab } from './testing/lab.fixture.ts'
import { damage, halve, type Mend, replaceByFolder } from './testing/mendable.fixture.ts'
import { up } from './up.ts'

const never = new AbortController().signal
const asUsual = { firstStart: false }

const lab = await openLab({ shop: { database: true } })
afterAll(() => lab[Symbol.asyncDispose]())

/** What `up` says: its errors, or the one it throws. */
async function bringUp() {
  try {
    const { appliance } = await openInForce(lab.around, lab.configFile)
    return (await up(appliance, asUsual, () => undefined, never)).errors
  } catch (error) {
    return [toAppError(error).toReport()]
  }
}

/** What a visitor gets; the letter was acknowledged before anything was damaged. */
const shown = async () => {
  const { status: code, body } = await lab.get('shop')
  return { code, ...(JSON.parse(body) as object) }
}
const whole = { code: 200, files: expect.arrayContaining(['letter']) as unknown }

beforeAll(async () => {
  expect(await bringUp()).toEqual([])
  await keepLastGood(lab.ports, lab.stateFolder, (await lab.open()).loaded)
  await lab.get('shop', '/letter', 'POST')
  expect(await shown()).toMatchObject(whole)
})

const at = (...names: string[]) => join(lab.stateFolder, ...names)

/** Every file that a start reads, and how to find it. */
const FILES: readonly [string, () => Promise<string>][] = [
  ['facts.json', async () => at('facts.json')],
  ['the record of an application', async () => at('apps', 'shop.json')],
  ['the record of a process', async () => at('processes', 'shop.web.json')],
  ['the record of Postgres', async () => at('processes', 'shop.postgres.json')],
  ['secrets.json', async () => at('secrets.json')],
  ['seal.age', async () => at('seal.age')],
  ['identity.txt', async () => at('identity.txt')],
  ['last-good-config.json', async () => at('last-good-config.json')],
  ['the key of the appliance', async () => at('certificates', 'appliance.key')],
  ['the key of an application', async () => at('certificates', 'app-shop.key')],
  ['the certificate of an application', async () => at('certificates', 'app-shop.crt')],
  ['the config of the gateway', async () => at('gateway', 'config.json')],
  [
    'release.json',
    async () => {
      const { releaseId } = JSON.parse(await readFile(at('apps', 'shop.json'), 'utf8'))
      const path = at('releases', 'shop', releaseId, 'release.json')
      await lab.ports.files.setMode(path, 0o600)
      return path
    },
  ],
  [
    'the mark of the data volume',
    async () => join((await lab.open()).appliance.folders.data, 'caretaker.json'),
  ],
]

const WAYS: readonly [string, (path: string) => Promise<Mend>][] = [
  ['deleted', (path) => damage(path, undefined)],
  ['emptied', (path) => damage(path, '')],
  ['overwritten', (path) => damage(path, '\u0000\u0001 no JSON {')],
  ['cut in half', halve],
  ['replaced by a folder', replaceByFolder],
]

describe.each(FILES)('%s', (_name, find) => {
  it.each(WAYS)(
    '%s: it serves, or says which file; mended it serves what was written',
    async (_way, spoil) => {
      const path = await find()
      const mend = await spoil(path)
      const errors = await bringUp()
      for (const { code, why, next } of errors) {
        expect(code, `${why}; ${next}`).toMatch(/^(STATE_DAMAGED|STORAGE_|SEAL_|DATABASE_ABSENT)/)
        expect(why + next).toContain(path.endsWith('/caretaker.json') ? 'data' : path)
        expect(next).toMatch(/caretaker |mv /)
        expect(why).not.toMatch(/\n\s+at /)
      }
      if (errors.length > 0) {
        const findings = await examine(lab.around, lab.configFile, undefined)
        expect(findings.map(({ code }) => code)).toContain(errors[0]?.code)
        await mend()
        expect(await bringUp()).toEqual([])
      }
      // What is made only when it is next needed.
      if (!(await lab.ports.files.stat(path))) await mend()
      expect(await shown()).toMatchObject(whole)
      const { appliance } = await openInForce(lab.around, lab.configFile)
      expect(await status(appliance, process.pid)).toMatchObject({ state: 'running', parts: [] })
    },
  )
})

describe('a damaged private key at the next start', () => {
  it.each(['appliance', 'app-shop'])('%s: a new pair is made, and it serves', async (name) => {
    await down((await lab.open()).appliance, { remember: false }, () => undefined, never)
    const key = at('certificates', `${name}.key`)
    await damage(key, (await readFile(key, 'utf8')).replace(/\w{20}/, '\u0000'.repeat(20)))
    const findings = await examine(lab.around, lab.configFile, undefined)
    expect(findings).toContainEqual(
      expect.objectContaining({ code: 'CERTIFICATE_INVALID', what: expect.stringContaining(key) as string }),
    )
    expect(await bringUp()).toEqual([])
    expect(await shown()).toMatchObject(whole)
  })
})
