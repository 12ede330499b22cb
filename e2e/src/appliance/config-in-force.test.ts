import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { DaemonProcess, StatusDocument } from '../support/appliance.ts'
import { configure } from '../support/configure.ts'
import { type GuestbookAppliance, guestbookAppliance } from '../support/guestbook-appliance.ts'
import { eventually } from '../support/observe.ts'

let place: GuestbookAppliance
let daemon: DaemonProcess
beforeAll(async () => {
  place = await guestbookAppliance()
  daemon = await place.appliance.daemon()
})
afterAll(() => place?.[Symbol.asyncDispose]())

const isServed = async () => (await place.appliance.request('/health')).status === 200
const statusOf = () => place.appliance.json<StatusDocument>('status')

/** A source of an application whose web service answers nothing but what `status` says. */
async function source(name: string, status: number): Promise<string> {
  const folder = join(place.appliance.home, name)
  await mkdir(folder, { recursive: true })
  const compose = `
services:
  web: { image: node:24-slim, command: [node, web.mjs] }
x-caretaker: { version: "1", web: { service: web, port: 8080, health: / } }
`
  await writeFile(join(folder, 'compose.yml'), compose.replace('image: node:24-slim', 'build: .'))
  await writeFile(join(folder, 'Dockerfile'), 'FROM node:24-slim\n')
  await writeFile(join(folder, 'package.json'), '{"name":"tiny","version":"1.0.0","type":"module"}')
  await writeFile(
    join(folder, 'web.mjs'),
    `import { createServer } from 'node:http'
${status === 200 ? '' : 'process.exit(9)'}
createServer((_request, response) => { response.end('x') }).listen(process.env.PORT, process.env.HOST)`,
  )
  return folder
}

test('a config that was saved and not applied changes nothing, whatever else is typed, and is told', async () => {
  const { appliance } = place
  const takeBack = await configure(appliance, ['storage', 'backend'], 'btrfs')
  expect(await statusOf()).toMatchObject({ state: 'running' })
  await appliance.ok('service', 'on', 'Counting')
  await appliance.ok('service', 'off')
  expect(await isServed()).toBe(true)
  await appliance.ok('app', 'restart', 'guestbook')
  expect(await isServed()).toBe(true)
  expect(await readFile(join(appliance.state, 'logs/appliance/daemon.log'), 'utf8')).not.toContain(
    'the data volume has gone',
  )
  expect((await appliance.run('doctor')).stdout).toContain('CONFIG_NOT_APPLIED')
  const file = join(appliance.state, 'appliance.yml')
  expect((await appliance.run('config', 'diff', file)).stderr).toContain('STORAGE_OTHER_BACKEND')
  const refused = await appliance.run('app', 'remove', 'guestbook')
  expect(refused.stderr).toContain('CONFIG_NOT_APPLIED')
  expect(refused.code).toBe(1)
  expect((await appliance.run('status')).stdout).toContain('was changed and is not in force yet')
  expect((await appliance.run('app', 'updates')).stdout).toContain('an update waits for "caretaker up"')
  await takeBack()
  expect((await appliance.ok('up')).stdout).toMatch(/nothing/i)
})

test('a change is in force with "up", and stays so with the next daemon', async () => {
  const { appliance } = place
  await configure(appliance, ['identity', 'admin_email'], 'ada@example.org')
  expect((await appliance.ok('config', 'show')).stdout).not.toContain('ada@example.org')
  const diff = await appliance.ok('config', 'diff', join(appliance.state, 'appliance.yml'))
  expect(diff.stdout).toMatch(/identity\.admin_email.*changed.*ada@example\.org/)
  await appliance.ok('up')
  expect((await appliance.ok('config', 'show')).stdout).toContain('ada@example.org')
  await daemon.stop()
  daemon = await appliance.daemon()
  await eventually('it is up', async () => (await statusOf()).state === 'running')
  expect((await appliance.ok('config', 'show')).stdout).toContain('ada@example.org')
})

test('an application that could not be added is said to be in the config, and the same command goes on', async () => {
  const { appliance } = place
  const folder = await source('tiny', 500)
  const words = ['app', 'add', 'tiny', folder, '--host', 'tiny.localhost']
  const failed = await appliance.run(...words)
  expect(failed.code).not.toBe(0)
  expect(failed.stderr).toContain('tiny is in the config now')
  await source('tiny', 200)
  const other = await appliance.run('app', 'add', 'tiny', appliance.home)
  expect(other.code).not.toBe(0)
  await appliance.ok(...words)
  expect((await statusOf()).apps.map(({ app, state }) => `${app} ${state}`)).toEqual([
    'guestbook serving',
    'tiny serving',
  ])
  expect((await appliance.run(...words)).stderr).toContain('APP_EXISTS')
  await appliance.ok('app', 'remove', 'tiny', '--data', '--confirm', 'tiny')
})

test('an application that does not start decides nothing for the others', async () => {
  const { appliance } = place
  const broken = await source('broken', 500)
  expect((await appliance.run('app', 'add', 'broken', broken, '--host', 'broken.localhost')).code).not.toBe(0)
  const restarted = await appliance.ok('app', 'restart', 'guestbook')
  expect(restarted.stdout + restarted.stderr).not.toContain('broken')
  await appliance.ok('app', 'add', 'tiny', await source('tiny', 200), '--host', 'tiny.localhost')
  await appliance.ok('down')
  await appliance.ok('app', 'restart', 'tiny')
  expect(await isServed()).toBe(true)
})
