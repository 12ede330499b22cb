import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  startTestEngine,
  type TestEngine,
} from '@caretaker/appliance/runtime/docker/testing/engine.fixture.ts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { dockerAppliance } from '../docker/docker-appliance.ts'
import { ROOT, type StatusDocument, type TestAppliance } from '../support/appliance.ts'
import { eventually, isAlive } from '../support/observe.ts'
import { secretsOf, type Visitor, visitor } from './client.ts'
import * as directus from './directus.ts'
import { startHub } from './hub.ts'
import type { Registry } from './registry.ts'
import * as unleash from './unleash.ts'

const APPS = ['unleash', 'directus'] as const
const FLAG = 'made-before-the-night'
const FILE = randomBytes(300_000)
/** On a busy machine both need their time to start. */
const BACK_WITHIN_MS = 170_000

let hub: Registry
let engine: TestEngine
let appliance: TestAppliance
let flags: Visitor
let content: Visitor
let passwords: { readonly unleash: string; readonly directus: string }
let cookie: string
let session: Readonly<Record<string, string>>
let fileId: string

beforeAll(async () => {
  hub = await startHub()
  engine = await startTestEngine('--registry-mirror', hub.url)
  appliance = await dockerAppliance(engine)
  flags = visitor(appliance, 'unleash')
  content = visitor(appliance, 'directus')
}, 900_000)
afterAll(async () => {
  await appliance?.[Symbol.asyncDispose]()
  await engine?.[Symbol.asyncDispose]()
  await hub?.[Symbol.asyncDispose]()
})

/** The commands that a README tells to type, with the paths of this clone. */
function commandsOf(readme: string): readonly (readonly string[])[] {
  const text = readFileSync(join(ROOT, readme), 'utf8')
  const lines = [...text.matchAll(/^caretaker (.*?)\s*(?:#.*)?$/gm)].map(([, line = '']) => line)
  expect(lines.length, `commands in ${readme}`).toBeGreaterThan(1)
  return lines.map((line) =>
    line.split(' ').map((word) => (word.startsWith('examples/') ? join(ROOT, word) : word)),
  )
}

interface Inspected {
  readonly Name: string
  readonly Config: { readonly Image: string }
  readonly State: { readonly Pid: number }
  readonly HostConfig: { readonly PortBindings: Readonly<Record<string, unknown>> | null }
  readonly NetworkSettings: { readonly Ports: Readonly<Record<string, readonly unknown[] | null>> }
}

function containers(): { readonly text: string; readonly list: readonly Inspected[] } {
  const ids = engine.run('ps', '-q').split('\n').filter(Boolean)
  const text = ids.length === 0 ? '[]' : engine.run('inspect', ...ids)
  return { text, list: JSON.parse(text) }
}

/** From the variables of the program itself. */
function databasePassword(list: readonly Inspected[], app: string): string {
  const pid = list.find(({ Name }) => Name.endsWith(`-${app}-web`))?.State.Pid
  const variables = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0')
  const url = variables.find((entry) => entry.startsWith('DATABASE_URL='))?.slice('DATABASE_URL='.length)
  return new URL(url ?? '').password
}

/** Anew: Unleash takes ten a minute. */
async function logIn(): Promise<void> {
  cookie = await unleash.logIn(flags, passwords.unleash)
  session = await directus.logIn(content, passwords.directus)
}

/** With the sessions of before: they are in the databases too. */
async function everythingIsThere(): Promise<boolean> {
  expect(await unleash.flagNames(flags, cookie)).toContain(FLAG)
  expect((await directus.download(content, session, fileId)).equals(FILE)).toBe(true)
  return true
}

test('Unleash and Directus are added as they are, each with a database, and serve', async () => {
  for (const app of APPS)
    for (const words of commandsOf(`examples/${app}/README.md`)) await appliance.ok(...words)
  passwords = {
    unleash: (await secretsOf(appliance, 'unleash'))['ADMIN_PASSWORD'] ?? '',
    directus: (await secretsOf(appliance, 'directus'))['ADMIN_PASSWORD'] ?? '',
  }
  const { apps } = await appliance.json<StatusDocument>('status')
  const states = apps.flatMap(({ app, services }) =>
    services.map(({ service, state }) => `${app} ${service} ${state}`),
  )
  expect(states).toEqual(
    APPS.flatMap((app) => ['postgres', 'web'].map((service) => `${app} ${service} running`)),
  )
}, 400_000)

test('a person logs in to Unleash and makes a flag, logs in to Directus and uploads a file', async () => {
  await logIn()
  await unleash.createFlag(flags, cookie, FLAG)
  fileId = await directus.upload(content, session, 'night.bin', FILE)
  await everythingIsThere()
})

test('images are what the registry has under their digests, nothing is published, no secret can be inspected', async () => {
  const { text, list } = containers()
  expect(
    list.map(({ Config }) => Config.Image.replace(/@sha256:[0-9a-f]{64}$/, ' by digest')).toSorted(),
  ).toEqual([
    'directus/directus by digest',
    'postgres by digest',
    'postgres by digest',
    'unleashorg/unleash-server by digest',
  ])
  for (const { Name, HostConfig, NetworkSettings } of list) {
    expect(HostConfig.PortBindings ?? {}, Name).toEqual({})
    expect(
      Object.values(NetworkSettings.Ports).filter((bound) => bound !== null),
      Name,
    ).toEqual([])
  }
  for (const app of APPS) {
    const secrets = { ...(await secretsOf(appliance, app)), database: databasePassword(list, app) }
    for (const [name, secret] of Object.entries(secrets)) {
      expect(secret.length, `${name} of ${app}`).toBeGreaterThan(10)
      expect(text.includes(secret), `${name} of ${app} in "docker inspect"`).toBe(false)
    }
  }
})

test('down and up: the flag and the file are there', async () => {
  await appliance.ok('down')
  expect(containers().list).toEqual([])
  await appliance.ok('up')
  await everythingIsThere()
  await logIn()
}, 400_000)

test('kill -9 of every container, then of dockerd: it comes back by itself with the flag and the file', async () => {
  const daemon = await appliance.daemon()
  for (const { State } of containers().list) if (isAlive(State.Pid)) process.kill(State.Pid, 'SIGKILL')
  await eventually('both serve again after their containers', everythingIsThere, BACK_WITHIN_MS)
  await engine.kill('dockerd')
  // What systemd does with the service of the engine.
  await engine.restart()
  await eventually('both serve again after dockerd', everythingIsThere, BACK_WITHIN_MS)
  await logIn()
  await daemon.stop()
}, 500_000)
