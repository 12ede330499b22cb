import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parseDocument } from 'yaml'
import { type TestAppliance, testAppliance } from '../support/appliance.ts'
import { unpackedBundle } from './bundle.ts'
import { type Canary, canariesInFiles, finderOf, fresh } from './canaries.ts'

/** A secret where only a text may stand, on the very line of the error. */
const TYPED: Canary = { name: 'typed into a list', value: fresh('typed') }

/** Breaks the config, has a bundle written, and gives its folder and every secret that was in the config. */
async function bundleOfBroken(appliance: TestAppliance, file: string): Promise<string> {
  const text = await readFile(file, 'utf8')
  const { keys } = (parseDocument(text).toJS() as { caretaker: { keys: Record<string, unknown> } }).caretaker
  const canaries = Object.entries(keys).flatMap(([name, value]) =>
    typeof value === 'string' ? [{ name, value }] : [],
  )
  expect(canaries.length).toBeGreaterThanOrEqual(4)
  await writeFile(file, text.replace(/^( +backup_key:).*$/m, `$1 [${TYPED.value}]`), { mode: 0o600 })
  const bundle = join(appliance.home, 'bundle.tar.gz')
  const ran = await appliance.run('doctor', '--bundle', bundle, '--config', file)
  expect(ran.code).toBe(3)
  expect(ran.stdout).toContain(`${bundle} was written`)
  const finder = finderOf([TYPED, ...canaries])
  expect(finder.in(ran.stdout + ran.stderr)).toEqual([])
  const folder = await unpackedBundle(bundle)
  expect(await canariesInFiles(folder, finder, () => [])).toEqual([])
  return join(folder, 'caretaker')
}

const documentIn = async (folder: string, name: string) =>
  JSON.parse(await readFile(join(folder, name), 'utf8')) as Record<string, unknown>

test('a bundle of an appliance whose first config is not valid tells why, and no secret', async () => {
  await using appliance = await testAppliance()
  const file = join(appliance.home, 'appliance.yml')
  await appliance.ok('config', 'create', 'localhost', '--out', file)
  const folder = await bundleOfBroken(appliance, file)
  const findings = JSON.stringify(await documentIn(folder, 'findings.json'))
  expect(findings).toContain('CONFIG_WRONG_TYPE')
  expect(findings).toContain('backup_key')
  for (const name of ['status.json', 'config.json', 'processes.json']) {
    expect(await documentIn(folder, name)).toMatchObject({
      not_available: { code: 'CONFIG_WRONG_TYPE', why: expect.stringContaining('backup_key') as string },
    })
  }
  expect(await documentIn(folder, 'machine.json')).not.toHaveProperty('not_available')
  expect(await readdir(folder)).toContain('MANIFEST.md')
})

test('while an earlier config is in force the bundle tells its state, and the error of the new one', async () => {
  await using appliance = await testAppliance()
  const file = join(appliance.state, 'appliance.yml')
  await appliance.createConfig()
  const exported = join(appliance.home, 'full.yml')
  await appliance.ok('config', 'export', exported)
  await appliance.ok('up', exported)
  await writeFile(file, await readFile(exported, 'utf8'), { mode: 0o600 })
  const folder = await bundleOfBroken(appliance, file)
  expect(JSON.stringify(await documentIn(folder, 'findings.json'))).toContain('CONFIG_WRONG_TYPE')
  expect(await documentIn(folder, 'config.json')).not.toHaveProperty('not_available')
  expect(await documentIn(folder, 'status.json')).not.toHaveProperty('not_available')
})
