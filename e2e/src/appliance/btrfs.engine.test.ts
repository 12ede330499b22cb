import { join } from 'node:path'
import { createHost } from '@caretaker/host/host.ts'
import { runToSuccess } from '@caretaker/ports/command.ts'
import { expect, test } from 'vitest'
import { type TestAppliance, testAppliance } from '../support/appliance.ts'
import { dataOnBtrfs } from '../support/btrfs.ts'
import { configure } from '../support/configure.ts'
import { ownWorkshop } from '../support/people.ts'

const NUMBER = {
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  send: Buffer.from(JSON.stringify({ n: 1, body: Buffer.from('a file on btrfs').toString('base64') })),
}

/** A config with guestbook at localhost, nothing started. */
async function prepare(disposables: AsyncDisposableStack): Promise<TestAppliance> {
  const workshop = disposables.use(await ownWorkshop())
  const appliance = await testAppliance()
  await appliance.createConfig()
  const volume = await dataOnBtrfs(appliance)
  disposables.use(volume)
  disposables.use(appliance)
  await appliance.ok('app', 'add', 'guestbook', await workshop.folder('v1'), '--host', 'localhost')
  return appliance
}

interface Status {
  readonly state: string
  readonly storage: { readonly backend: string; readonly instant_snapshots: boolean; readonly folder: string }
}

test('guestbook on btrfs: serves, stops, serves what it had; its unit is a subvolume', async () => {
  await using disposables = new AsyncDisposableStack()
  const appliance = await prepare(disposables)
  await appliance.ok('up')
  expect((await appliance.request('/numbers', NUMBER)).status).toBe(200)
  const { storage } = await appliance.json<Status>('status')
  expect(storage).toMatchObject({ backend: 'btrfs', instant_snapshots: true })
  const unit = join(storage.folder, 'units/guestbook/gen-1')
  const show = { file: 'btrfs', args: ['subvolume', 'show', unit], env: { PATH: '/usr/bin:/usr/sbin:/sbin' } }
  await runToSuccess(createHost().processes, show)

  await appliance.ok('down')
  await appliance.ok('up')
  const verified = JSON.parse((await appliance.request('/numbers/verify')).body)
  expect(verified).toMatchObject({ ok: true, rows: 1 })
  const findings = await appliance.json<{ findings: readonly { check: string; result: string }[] }>('doctor')
  expect(findings.findings.find(({ check }) => check === 'storage')).toMatchObject({ result: 'ok' })
})

test('the other back end on the same folder, and btrfs where there is none, are refused before anything changes', async () => {
  await using disposables = new AsyncDisposableStack()
  const appliance = await prepare(disposables)
  await appliance.ok('up')
  await appliance.ok('down')
  const back = await configure(appliance, ['storage', 'backend'], 'directory')
  const refused = await appliance.run('up')
  expect(refused.code).toBe(5)
  expect(refused.stderr).toContain('was made by the back end "btrfs", the config says "directory"')
  await back()
  const elsewhere = await configure(appliance, ['storage', 'data'], join(appliance.home, 'no-btrfs'))
  const other = await appliance.run('up', '--dry-run')
  expect(other.stdout + other.stderr).toMatch(/lies on \w+, not on btrfs/)
  await elsewhere()
  await appliance.ok('up')
})
