import { cp, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type StatusDocument, type TestAppliance, testAppliance } from '../support/appliance.ts'
import { ownWorkshop, type Workshop } from '../support/people.ts'

let workshop: Workshop
let appliance: TestAppliance
let source: string
beforeAll(async () => {
  workshop = await ownWorkshop()
  appliance = await testAppliance()
  await appliance.createConfig()
  source = join(appliance.home, 'guestbook')
  await cp(await workshop.folder('v1'), source, { recursive: true })
  await appliance.ok('app', 'add', 'guestbook', source, '--host', 'localhost')
})
afterAll(async () => {
  await appliance?.[Symbol.asyncDispose]()
  await workshop?.[Symbol.asyncDispose]()
})

test('an update that a second Ctrl-C ends at once says what is left; status says it first, and "up" takes it back', async () => {
  const compose = join(source, 'compose.yml')
  await writeFile(compose, (await readFile(compose, 'utf8')).replace('version: "1"', 'version: "1.1"'))
  // It never ends by itself.
  await writeFile(join(source, 'migrations/101_slow.sql'), 'select pg_sleep(86400);\n')
  const words = ['app', 'update', 'guestbook', '--no-rehearsal', 'a test', '--progress', 'json']
  const { child, ran } = appliance.start(...words)
  let said = ''
  let signals = 0
  child.stderr?.on('data', (part: string) => {
    said += part
    const isDue = signals === 0 ? /"step-started".*data\.migrate/.test(said) : /"undo-started"/.test(said)
    if (isDue && signals < 2) signals += Number(child.kill('SIGINT'))
  })
  const { code, stderr } = await ran
  expect(code).toBe(130)
  expect(stderr).toMatch(/"caretaker up" finishes it, and takes back an update/)
  const status = await appliance.json<StatusDocument>('status')
  expect(status.reason).toBe(
    'guestbook: its change from 1 to 1.1 was interrupted and is neither finished nor taken back',
  )
  expect(status.next).toContain('without one, "caretaker up" does')
  expect((await appliance.run('up')).code).toBe(4)
  expect(await appliance.json<StatusDocument>('status')).toMatchObject({ code: 'DAEMON_UNREACHABLE' })
  expect(JSON.parse((await appliance.request('/version')).body)).toMatchObject({ release: '1' })
})
