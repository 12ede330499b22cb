import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { openSeal } from '@caretaker/appliance/sealing/seal.ts'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parseDocument } from 'yaml'
import { type Ran, type TestAppliance, testAppliance } from '../support/appliance.ts'
import { eventually } from '../support/observe.ts'
import { ownWorkshop, type Workshop } from '../support/people.ts'
import { unpackedBundle } from './bundle.ts'
import { type Canary, canariesInFiles, type Finder, finderOf } from './canaries.ts'
import { LEAKY_SECRETS, type Leak, writeLeakyApplication } from './leaky-application.ts'
import { type ProcessWatch, watchProcesses } from './process-watch.ts'

const fresh = (name: string) => `${name}-${randomBytes(12).toString('hex')}`
/** With everything that has to be escaped somewhere. */
const AWKWARD = `${fresh('awkward')} "quoted" 'single' \\ %41 $HOME <b>&ü/@:`
const LEAKS: readonly Leak[] = ['tells', 'unhealthy', 'crashes', 'migration']
/** Variables by which a person lets us fetch: ours and the fetching programs', nobody else's. */
const REGISTRY: Canary = { name: 'registry token', value: fresh('registry') }
const IN_A_URL: Canary = { name: 'password in a plain URL', value: fresh('upstream') }
const SOURCE: Canary = { name: 'password in a source URL', value: fresh('source') }
const VISITOR: Canary = { name: "visitor's token", value: fresh('visitor') }

let workshop: Workshop
let appliance: TestAppliance
let watch: ProcessWatch
let finder: Finder
const canaries: Canary[] = [REGISTRY, IN_A_URL, SOURCE, VISITOR]
/** What every command and page said. */
const said: { readonly where: string; readonly text: string }[] = []
const filesWhileRunning: string[] = []
/** Broken configs that were not refused. */
const accepted: string[] = []
let secretFile = ''
let bundleFolder = ''

beforeAll(async () => {
  process.env['npm_config_canary_token'] = REGISTRY.value
  workshop = await ownWorkshop()
  appliance = await testAppliance()
  watch = watchProcesses()
  await appliance.createConfig()
  await plantSecrets()
  await liveThrough()
}, 240_000)
afterAll(async () => {
  delete process.env['npm_config_canary_token']
  watch?.[Symbol.dispose]()
  await appliance?.[Symbol.asyncDispose]()
  await workshop?.[Symbol.asyncDispose]()
})

/** Runs a command and keeps what it says. */
async function run(...words: readonly string[]): Promise<Ran> {
  const ran = await appliance.run(...words)
  said.push({
    where: `caretaker ${words.join(' ')}`.replace(SOURCE.value, 'SOURCE'),
    text: ran.stdout + ran.stderr,
  })
  return ran
}

async function plantSecrets(): Promise<void> {
  const plain = `https://robot:${IN_A_URL.value}@upstream.invalid/`
  const folder = await writeLeakyApplication(join(appliance.home, 'tells'), 'tells', plain)
  expect((await run('app', 'add', 'tells', folder, '--host', 'localhost')).code).toBe(0)
  const exported = join(appliance.home, 'full.yml')
  await appliance.ok('config', 'export', exported)
  const document = parseDocument(await readFile(exported, 'utf8'))
  const own = (name: string) => ['caretaker', 'applications', 'tells', 'secrets', name]
  document.setIn(own('VARIABLE_KEY'), AWKWARD)
  const lines = [1, 2, 3].map(() => randomBytes(48).toString('base64'))
  document.setIn(
    own('PEM_KEY'),
    `-----BEGIN PRIVATE KEY-----\n${lines.join('\n')}\n-----END PRIVATE KEY-----\n`,
  )
  await writeFile(exported, document.toString({ lineWidth: 0 }), { mode: 0o600 })
  expect((await run('up', exported)).code).toBe(0)
  learnConfig(document.toJS() as Exported)
}

interface Exported {
  readonly caretaker: {
    readonly keys: Readonly<Record<string, unknown>>
    readonly applications: Readonly<Record<string, { readonly secrets?: Readonly<Record<string, string>> }>>
  }
}

function learnConfig({ caretaker }: Exported): void {
  for (const [name, value] of Object.entries(caretaker.keys))
    if (typeof value === 'string') plant({ name, value })
  for (const [app, { secrets = {} }] of Object.entries(caretaker.applications))
    for (const [name, value] of Object.entries(secrets)) plant({ name: `${app}/${name}`, value })
}

function plant(canary: Canary): void {
  if (!canaries.some(({ value }) => value === canary.value)) canaries.push(canary)
}

/** Passwords that the appliance made, and the key that seals them. */
async function learnPasswords(): Promise<void> {
  const { seal, values } = JSON.parse(await readFile(join(appliance.state, 'secrets.json'), 'utf8')) as {
    seal: string
    values: Record<string, string>
  }
  const identity = canaries.find(({ name }) => name === 'age_identity')?.value ?? ''
  const opened = await openSeal(seal, identity)
  for (const [name, token] of Object.entries(values)) {
    const value = opened.decrypt(token)
    const old = canaries.findIndex((canary) => canary.name === name && canary.value !== value)
    // It opens nothing any more.
    if (old >= 0) canaries[old] = { name: `${name}, rotated out`, value: canaries[old]?.value ?? '' }
    plant({ name, value })
  }
  const certificates = join(appliance.state, 'certificates')
  for (const name of (await readdir(certificates)).filter((entry) => entry.endsWith('.key')))
    plant({ name, value: await readFile(join(certificates, name), 'utf8') })
  finder = finderOf(canaries)
}

/** All that can go wrong with secrets about, with and without a daemon. */
async function liveThrough(): Promise<void> {
  await learnPasswords()
  const daemon = await appliance.daemon()
  for (const leak of LEAKS.filter((name) => name !== 'tells')) {
    const folder = await writeLeakyApplication(join(appliance.home, leak), leak, 'plain')
    const added = await run('app', 'add', leak, folder, '--host', `${leak}.localhost`)
    expect(added.code, added.stderr).toBe(5)
    await exportAndLearn(`with-${leak}.yml`)
    await visit(leak)
    // Its failed starts would be repeated by what comes next.
    await run('app', 'remove', leak, '--data', '--confirm', leak)
  }
  await run('app', 'add', 'fetched', `https://robot:${SOURCE.value}@git.invalid/x.git`)
  await breakConfigs(await exportAndLearn('all.yml'))
  await visit('tells')
  await openStatePage()
  await run('app', 'exec', 'tells', 'tell')
  await run('app', 'exec', 'tells', '--json', 'tell')
  await run('job', 'run', 'tells.tell')
  await run('job', 'logs', 'tells.tell')
  await run('service', 'on', `moving ${AWKWARD}`.slice(0, 20))
  await run('service', 'off')
  await crash()
  await run('app', 'rotate-password', 'tells')
  await learnPasswords()
  await look()
  await daemon.stop()
  await run('up')
  await run('logs')
  bundleFolder = await bundle()
  filesWhileRunning.push(...(await filesWith()))
  await run('app', 'exec', 'tells', 'tell')
  await run('down')
}

async function exportAndLearn(name: string): Promise<string> {
  const exported = join(appliance.home, name)
  await appliance.ok('config', 'export', exported)
  const text = await readFile(exported, 'utf8')
  learnConfig(parseDocument(text).toJS() as Exported)
  await learnPasswords()
  return text
}

async function look(): Promise<void> {
  for (const words of [
    'status',
    'app list',
    'app show tells',
    'logs',
    'logs tells web --lines 1000',
    'config show',
    'doctor',
    'operation list',
    'job history tells.tell',
  ])
    for (const json of [[], ['--json']]) await run(...words.split(' '), ...json)
  const { operations } = await appliance.json<{ operations: { operation: string }[] }>('operation', 'list')
  for (const { operation } of operations) await run('operation', 'show', operation, '--json')
}

/** Configs with an error on the very line of a secret. */
async function breakConfigs(text: string): Promise<void> {
  const broken = (name: string, make: (canary: string) => string) => {
    const value = fresh(`typed-${name}`)
    canaries.push({ name: `typed: ${name}`, value })
    return { name, text: make(value) }
  }
  const ofKey = (key: string, value: string) =>
    text.replace(new RegExp(`^( +${key}:).*(\\n {6,}.*)*`, 'm'), `$1 ${value}`)
  const configs = [
    broken('list', (canary) => ofKey('file_key', `[${canary}]`)),
    broken('map', (canary) => ofKey('file_key', `{ value: ${canary} }`)),
    broken('quote', (canary) => ofKey('file_key', `"${canary}`)),
    broken('colon', (canary) => ofKey('file_key', `${canary}: x`)),
    broken('tag', (canary) => ofKey('file_key', `!secret ${canary}`)),
    broken('alias', (canary) => ofKey('file_key', `*${canary}`)),
    broken('key', (canary) => ofKey('ca_key', canary)),
    broken('identity', (canary) => ofKey('age_identity', `AGE-SECRET-KEY-1${canary}`)),
    broken('backup', (canary) => ofKey('backup_key', `[${canary}]`)),
    broken('dkim', (canary) => ofKey('dkim_key', `-----BEGIN PRIVATE KEY-----${canary}`)),
    broken('twice', (canary) => ofKey('file_key', `${canary}\n        file_key: ${canary}`)),
    broken('source', (canary) =>
      text.replace(/source: .*/, `source: https://robot:${canary}@git.invalid/x.git`),
    ),
    broken('url', (canary) => text.replace(/domain: .*/, `domain: https://robot:${canary}@example.org`)),
  ]
  finder = finderOf(canaries)
  for (const config of configs) {
    const file = join(appliance.home, `broken-${config.name}.yml`)
    await writeFile(file, config.text, { mode: 0o600 })
    const checked = await run('config', 'check', file)
    if (checked.code !== 2) accepted.push(config.name)
    if (!['list', 'key', 'quote', 'source'].includes(config.name)) continue
    await run('config', 'diff', file, '--json')
    await run('up', file)
  }
}

/** What visitors of an application see and send. */
async function visit(leak: Leak): Promise<void> {
  const host = leak === 'tells' ? 'localhost' : `${leak}.localhost`
  const headers = {
    authorization: `Bearer ${VISITOR.value}`,
    cookie: `session=${VISITOR.value}`,
    host: `${host}:${appliance.port}`,
  }
  for (const accept of ['text/html', 'application/json']) {
    const options = { servername: host, headers: { ...headers, accept } }
    const reply = await appliance.request(`/?token=${VISITOR.value}`, options)
    said.push({ where: `page of ${leak}`, text: reply.body })
  }
}

async function openStatePage(): Promise<void> {
  const link = (await appliance.ok('page')).stdout.match(/http:\S+/)?.[0] ?? ''
  const opened = await fetch(link, { redirect: 'manual' })
  const cookie = opened.headers.getSetCookie()[0]?.split(';')[0] ?? ''
  plant({ name: 'link to the state page', value: new URL(link).searchParams.get('token') ?? '' })
  plant({ name: 'session of the state page', value: cookie.split('=')[1] ?? '' })
  for (const path of ['/', '/state.json']) {
    const page = await fetch(new URL(path, link), { headers: { cookie } })
    expect(page.status).toBe(200)
    said.push({ where: `state page ${path}`, text: await page.text() })
  }
}

/** Until the daemon names the crash loop, which quotes the log. */
async function crash(): Promise<void> {
  await eventually(
    'the crash loop is named',
    async () => {
      await appliance.request('/crash').catch(() => undefined)
      return (await run('status', '--json')).stdout.includes('SERVICE_CRASH_LOOP')
    },
    60_000,
  )
}

async function bundle(): Promise<string> {
  const file = join(appliance.home, 'bundle.tar.gz')
  await run('doctor', '--bundle', file, '--json')
  expect((await stat(file)).mode & 0o777).toBe(0o600)
  return unpackedBundle(file)
}

/** Files of the state folder in which a canary lies although it should not. */
async function filesWith(): Promise<readonly string[]> {
  const found = watch.seen.flatMap(({ environment }) => /FILE_KEY_FILE=([^\0]*)/.exec(environment)?.[1] ?? [])
  secretFile = found.find((path) => path.includes('/tells/')) ?? ''
  return canariesInFiles(appliance.state, finder, (path) => {
    if (path === 'identity.txt') return ['age_identity']
    // The gateway starts without anybody who could open a seal for it.
    const key = /^certificates\/(.*\.key)$/.exec(path)?.[1]
    if (key) return [key]
    // Postgres keeps a hash of the passwords; its pages are its own.
    if (/^data\/.*\/postgres\//.test(path)) return 'any'
    // The source as its author wrote it.
    if (/^(releases|cache)\//.test(path)) return [IN_A_URL.name]
    // What an application writes into its own log is its own doing; what we quote from it is masked.
    const app = /^logs\/([^/]+)\/[^/]+\.log/.exec(path)?.[1]
    return app === undefined || app === 'appliance' ? [] : ownOf(app)
  })
}

/** Not a password that was replaced: lines of old logs that quote it cannot be told from others. */
const isValid = (name: string) => !name.endsWith(', rotated out')

const ownOf = (app: string): readonly string[] => [
  ...canaries
    .map(({ name }) => name)
    .filter((name) => name.startsWith(`${app}/`) && name !== `${app}/superuser`),
  IN_A_URL.name,
]

describe('secrets that were planted', () => {
  test('are at least 20, and the test finds what it looks for', async () => {
    expect(new Set(canaries.map(({ value }) => value)).size).toBeGreaterThanOrEqual(20)
    const names = canaries.map(({ name }) => name)
    for (const name of LEAKY_SECRETS) expect(names).toContain(`tells/${name}`)
    for (const leak of LEAKS)
      expect(names).toEqual(expect.arrayContaining([`${leak}/file_key`, `${leak}/database`]))
    const log = await readFile(join(appliance.state, 'logs/tells/web.log'), 'utf8')
    expect(finder.in(log)).toEqual(
      expect.arrayContaining(['tells/database', 'tells/VARIABLE_KEY', 'tells/PEM_KEY', 'tells/file_key']),
    )
  })

  test('make a config wrong where they are typed wrongly', () => {
    expect(accepted).toEqual([])
  })

  test('are in no output of a command and on no page', () => {
    finder = finderOf(canaries)
    expect(said.length).toBeGreaterThan(70)
    expect(
      said.flatMap(({ where, text }) =>
        finder
          .in(text)
          .filter(isValid)
          .map((name) => `${where}: ${name}`),
      ),
    ).toEqual([])
  })

  test('are in no file of the state folder, while it runs and when it is down', async () => {
    expect(filesWhileRunning).toEqual([])
    expect(await filesWith()).toEqual([])
  })

  test('are in no command line of any process', () => {
    expect(watch.seen.length).toBeGreaterThan(50)
    const told = watch.seen.flatMap(({ commandLine }) =>
      finder.in(commandLine).map((name) => ({ name, commandLine })),
    )
    // The one typed by the person of this test, who gave a password on the command line.
    expect(
      told.filter(({ name, commandLine }) => name !== SOURCE.name || !/app\0add/.test(commandLine)),
    ).toEqual([])
  })

  test('are in the environment of their own services only', () => {
    const owner = (environment: string) =>
      /(?:^|\0)HOME=[^\0]*\/volatile\/([^/\0]+)\/home\0/.exec(environment)?.[1]
    const told = watch.seen.flatMap(({ commandLine, environment }) => {
      const app = owner(environment)
      // The last two are this test's own: it unpacks the bundle.
      const fetches = /caretaker\/main\.js\0(?!gateway)|pnpm|git|^tar\0-xzf\0|^gzip\0-d\0/.test(commandLine)
      const may = [...(app === undefined ? [] : ownOf(app)), ...(fetches ? [REGISTRY.name] : [])]
      return finder
        .in(environment)
        .filter((name) => !may.includes(name))
        .map((name) => `${name} in ${commandLine}`)
    })
    expect(told).toEqual([])
    expect(
      watch.seen.some(
        ({ environment }) =>
          owner(environment) === 'tells' && finder.in(environment).includes('tells/database'),
      ),
    ).toBe(true)
  })

  test('are files in memory while their application runs, and gone when it is stopped', async () => {
    expect(secretFile).not.toBe('')
    if (existsSync('/dev/shm')) expect(secretFile).toMatch(/^\/(dev\/shm|run)\/caretaker-/)
    expect(existsSync(secretFile)).toBe(false)
  })

  test('are not in the support bundle, which says what it masked', async () => {
    expect(
      await canariesInFiles(bundleFolder, finderOf(canaries.filter(({ name }) => isValid(name))), () => []),
    ).toEqual([])
    const manifest = await readFile(join(bundleFolder, 'caretaker/MANIFEST.md'), 'utf8')
    expect(manifest).toContain('tells/database: ')
    expect(await readFile(join(bundleFolder, 'caretaker/logs/tells/web.log'), 'utf8')).toContain('[secret:')
  })
})
