import { join } from 'node:path'
import type { TestEngine } from '@caretaker/appliance/runtime/docker/testing/engine.fixture.ts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ROOT, type StatusDocument, type TestAppliance } from '../support/appliance.ts'
import { entriesOf, signOver, unique } from '../support/guestbook-https.ts'
import { dockerAppliance, engineWithImages } from './docker-appliance.ts'

let engine: TestEngine
let appliance: TestAppliance
beforeAll(async () => {
  engine = await engineWithImages()
  appliance = await dockerAppliance(engine)
})
afterAll(async () => {
  await appliance?.[Symbol.asyncDispose]()
  await engine?.[Symbol.asyncDispose]()
})

test('guestbook is built, started in containers with its Postgres, and served', async () => {
  await appliance.ok('app', 'add', 'guestbook', join(ROOT, 'examples/guestbook'), '--host', 'localhost')
  const status = await appliance.json<StatusDocument>('status')
  expect(status.apps[0]?.services.map(({ service, state }) => `${service} ${state}`)).toEqual([
    'postgres running',
    'web running',
    'worker running',
  ])
  const message = unique('kept')
  expect((await signOver(appliance, { name: 'Ada', message }, { name: 'a.txt', bytes: 'x' })).status).toBe(
    303,
  )
  expect((await entriesOf(appliance)).map((entry) => entry.message)).toContain(message)
  expect((await appliance.ok('up')).stdout).toContain('othing')
})
