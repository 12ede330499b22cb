import { once } from 'node:events'
import { readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import type { TestEngine } from '@caretaker/appliance/runtime/docker/testing/engine.fixture.ts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ROOT, type StatusDocument, type TestAppliance } from '../support/appliance.ts'
import { eventually } from '../support/observe.ts'
import { dockerAppliance, engineWithImages } from './docker-appliance.ts'

let engine: TestEngine
let appliance: TestAppliance
beforeAll(async () => {
  engine = await engineWithImages()
  appliance = await dockerAppliance(engine)
  await appliance.ok('app', 'add', 'guestbook', join(ROOT, 'examples/guestbook'), '--host', 'localhost')
  await appliance.daemon()
})
afterAll(async () => {
  await appliance?.[Symbol.asyncDispose]()
  await engine?.[Symbol.asyncDispose]()
})

const ALL = ['postgres running', 'web running', 'worker running']
const status = () => appliance.json<StatusDocument>('status')
const services = async () =>
  (await status()).apps[0]?.services.map(({ service, state }) => `${service} ${state}`)
const isUp = async () =>
  (await services())?.join() === ALL.join() && (await appliance.request('/health')).status === 200
const log = () => readFile(join(appliance.state, 'logs/appliance/daemon.log'), 'utf8')

test.each(['guestbook-worker', 'guestbook-postgres'])(
  'a container that somebody has removed is made again, and until then it is missed',
  async (name) => {
    const id = engine.run('ps', '-q', '--filter', `name=${name}`).trim()
    engine.run('rm', '-f', id)
    await eventually('it runs again', isUp)
    await eventually('the log tells why', async () => (await log()).includes('it should run, and did not'))
  },
)

test('a restart that the death of the engine breaks off is finished by itself', async () => {
  const restart = appliance.run('app', 'restart', 'guestbook')
  await eventually('its services are stopped', () => engine.run('ps', '-q').trim().split('\n').length < 3)
  await engine.kill('dockerd')
  expect((await restart).code).not.toBe(0)
  await engine.restart()
  await eventually('it runs again', isUp)
})

/** Lasts until whoever looks after containers has asked the engine so often and got no answer. */
async function askedInVain(times: number): Promise<void> {
  let asked = 0
  const nobody = createServer((connection) => {
    asked += 1
    connection.destroy()
  })
  await rm(engine.docker.socket, { force: true })
  await once(nobody.listen(engine.docker.socket), 'listening')
  await eventually('the daemon has asked again and again', () => asked >= times)
  await new Promise((resolve) => nobody.close(resolve))
}

test('outages of the engine are no crash loop, however many come', async () => {
  for (let outage = 0; outage < 5; outage += 1) {
    await engine.kill('dockerd')
    await eventually('the daemon sees it', async () =>
      (await status()).parts.some(({ code }) => code === 'ENGINE_UNREACHABLE'),
    )
    await askedInVain(5)
    await engine.restart()
    await eventually('it runs again', isUp)
  }
  expect(await log()).not.toContain('crash loop')
  expect((await status()).parts.map(({ code }) => code)).not.toContain('SERVICE_CRASH_LOOP')
})
