import { join } from 'node:path'
import type { TestEngine } from '@caretaker/appliance/runtime/docker/testing/engine.fixture.ts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ROOT, type TestAppliance } from '../support/appliance.ts'
import { cloneUnderWriter } from '../support/clone-under-writer.ts'
import { dockerAppliance, engineWithImages } from './docker-appliance.ts'

let engine: TestEngine
let appliance: TestAppliance
beforeAll(async () => {
  engine = await engineWithImages()
  appliance = await dockerAppliance(engine)
  await appliance.ok('app', 'add', 'guestbook', join(ROOT, 'examples/guestbook'), '--host', 'localhost')
})
afterAll(async () => {
  await appliance?.[Symbol.asyncDispose]()
  await engine?.[Symbol.asyncDispose]()
})

const known = (...words: readonly string[]) =>
  engine
    .run(...words)
    .split('\n')
    .filter(Boolean)
    .toSorted()

test('clones in containers hold all that was acknowledged; no container, network or volume of them stays', async () => {
  const all = () => [
    known('ps', '-a', '--format', '{{.Names}}'),
    known('network', 'ls', '--format', '{{.Name}}'),
    known('volume', 'ls', '--format', '{{.Name}}'),
  ]
  const before = all()
  await cloneUnderWriter(appliance, 2)
  expect(all()).toEqual(before)
}, 600_000)
