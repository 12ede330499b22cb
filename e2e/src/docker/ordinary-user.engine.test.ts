import { chmodSync } from 'node:fs'
import type { TestEngine } from '@caretaker/appliance/runtime/docker/testing/engine.fixture.ts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { StatusDocument, TestAppliance } from '../support/appliance.ts'
import { entriesOf, signOver, unique } from '../support/guestbook-https.ts'
import { nobodysWorkshop, type Workshop } from '../support/people.ts'
import { dockerAppliance, engineWithImages } from './docker-appliance.ts'

let engine: TestEngine
let workshop: Workshop
let appliance: TestAppliance
beforeAll(async () => {
  engine = await engineWithImages()
  // As members of the group "docker" may.
  chmodSync(engine.folder, 0o755)
  chmodSync(engine.docker.socket, 0o666)
  workshop = await nobodysWorkshop()
  appliance = await dockerAppliance(engine, workshop)
})
afterAll(async () => {
  await appliance?.[Symbol.asyncDispose]()
  await workshop?.[Symbol.asyncDispose]()
  await engine?.[Symbol.asyncDispose]()
})

test('an ordinary user who may call the engine runs guestbook in containers, and its Postgres as itself', async () => {
  await appliance.ok('app', 'add', 'guestbook', await workshop.folder('v1'), '--host', 'localhost')
  const services = (await appliance.json<StatusDocument>('status')).apps[0]?.services
  expect(services?.map(({ state }) => state)).toEqual(['running', 'running', 'running'])
  const message = unique('kept')
  const signed = await signOver(appliance, { name: 'Ada', message }, { name: 'a.txt', bytes: message })
  expect(signed.status).toBe(303)
  expect((await appliance.ok('down')).code).toBe(0)
  await appliance.ok('up')
  expect((await entriesOf(appliance)).map((entry) => entry.message)).toContain(message)
})
