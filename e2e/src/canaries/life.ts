import { randomBytes } from 'node:crypto'
import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { openSeal } from '@caretaker/appliance/sealing/seal.ts'
import { expect } from 'vitest'
import { parseDocument } from 'yaml'
import { type Ran, type TestAppliance, testAppliance } from '../support/appliance.ts'
import { eventually } from '../support/observe.ts'
import { ownWorkshop, type Workshop } from '../support/people.ts'
import { brokenConfigs } from './broken-configs.ts'
import { unpackedBundle } from './bundle.ts'
import { type Canary, type Finder, finderOf, fresh } from './canaries.ts'
import { canariesInState } from './judge.ts'
import { type Leak, writeLeakyApplication } from './leaky-application.ts'
import { type ProcessWatch, watchProcesses } from './process-watch.ts'

/** With everything that has to be escaped somewhere. */
const AWKWARD = `${fresh('awkward')} "quoted" 'single' \\ %41 $HOME <b>&ü/@:`
export const LEAKS: readonly Leak[] = ['tells', 'unhealthy', 'crashes', 'migration']
/** A clone of `tells`, with secrets of its own. */
export const CLONE = 'cloned'
/** Variables by which a person lets us fetch: ours and the fetching programs', nobody else's. */
export const REGISTRY: Canary = { name: 'registry token', value: fresh('registry') }
export const IN_A_URL: Canary = { name: 'password in a plain URL', value: fresh('upstream') }
export const SOURCE: Canary = { name: 'password in a source URL', value: fresh('source') }
const VISITOR: Canary = { name: "visitor's token", value: fresh('visitor') }

interface Exported {
  readonly caretaker: {
    readonly keys: Readonly<Record<string, unknown>>
    readonly applications: Readonly<Record<string, { readonly secrets?: Readonly<Record<string, string>> }>>
  }
}

/** An appliance that has gone through all that can go wrong with secrets about, and what could be seen of it meanwhile. */
export class Life implements AsyncDisposable {
  readonly appliance: TestAppliance
  readonly watch: ProcessWatch
  readonly canaries: Canary[] = [REGISTRY, IN_A_URL, SOURCE, VISITOR]
  finder: Finder = finderOf(this.canaries)
  /** What every command and page said. */
  readonly said: { readonly where: string; readonly text: string }[] = []
  readonly filesWhileRunning: string[] = []
  /** Broken configs that were not refused. */
  readonly accepted: string[] = []
  bundleFolder = ''
  readonly #workshop: Workshop

  constructor(workshop: Workshop, appliance: TestAppliance) {
    this.#workshop = workshop
    this.appliance = appliance
    this.watch = watchProcesses()
  }

  static async lived(): Promise<Life> {
    process.env['npm_config_canary_token'] = REGISTRY.value
    const life = new Life(await ownWorkshop(), await testAppliance())
    try {
      await life.appliance.createConfig()
      await life.#plantSecrets()
      await life.#liveThrough()
      return life
    } catch (error) {
      await life[Symbol.asyncDispose]()
      throw error
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    delete process.env['npm_config_canary_token']
    this.watch[Symbol.dispose]()
    await this.appliance[Symbol.asyncDispose]()
    await this.#workshop[Symbol.asyncDispose]()
  }

  /** Runs a command and keeps what it says. */
  async #run(...words: readonly string[]): Promise<Ran> {
    const ran = await this.appliance.run(...words)
    this.said.push({
      where: `caretaker ${words.join(' ')}`.replace(SOURCE.value, 'SOURCE'),
      text: ran.stdout + ran.stderr,
    })
    return ran
  }

  async #plantSecrets(): Promise<void> {
    const plain = `https://robot:${IN_A_URL.value}@upstream.invalid/`
    const folder = await writeLeakyApplication(join(this.appliance.home, 'tells'), 'tells', plain)
    expect((await this.#run('app', 'add', 'tells', folder, '--host', 'localhost')).code).toBe(0)
    const exported = join(this.appliance.home, 'full.yml')
    await this.appliance.ok('config', 'export', exported)
    const document = parseDocument(await readFile(exported, 'utf8'))
    const own = (name: string) => ['caretaker', 'applications', 'tells', 'secrets', name]
    document.setIn(own('VARIABLE_KEY'), AWKWARD)
    const lines = [1, 2, 3].map(() => randomBytes(48).toString('base64'))
    document.setIn(
      own('PEM_KEY'),
      `-----BEGIN PRIVATE KEY-----\n${lines.join('\n')}\n-----END PRIVATE KEY-----\n`,
    )
    await writeFile(exported, document.toString({ lineWidth: 0 }), { mode: 0o600 })
    expect((await this.#run('up', exported)).code).toBe(0)
    this.#learnConfig(document.toJS() as Exported)
  }

  #learnConfig({ caretaker }: Exported): void {
    for (const [name, value] of Object.entries(caretaker.keys))
      if (typeof value === 'string') this.#plant({ name, value })
    for (const [app, { secrets = {} }] of Object.entries(caretaker.applications))
      for (const [name, value] of Object.entries(secrets)) this.#plant({ name: `${app}/${name}`, value })
  }

  #plant(canary: Canary): void {
    if (!this.canaries.some(({ value }) => value === canary.value)) this.canaries.push(canary)
  }

  /** Passwords that the appliance made, and the key that seals them. */
  async #learnPasswords(): Promise<void> {
    const { seal, values } = JSON.parse(
      await readFile(join(this.appliance.state, 'secrets.json'), 'utf8'),
    ) as {
      seal: string
      values: Record<string, string>
    }
    const identity = this.canaries.find(({ name }) => name === 'age_identity')?.value ?? ''
    const opened = await openSeal(seal, identity)
    for (const [name, token] of Object.entries(values)) {
      const value = opened.decrypt(token)
      const old = this.canaries.findIndex((canary) => canary.name === name && canary.value !== value)
      // It opens nothing any more.
      if (old >= 0)
        this.canaries[old] = { name: `${name}, rotated out`, value: this.canaries[old]?.value ?? '' }
      this.#plant({ name, value })
    }
    const certificates = join(this.appliance.state, 'certificates')
    for (const name of (await readdir(certificates)).filter((entry) => entry.endsWith('.key')))
      this.#plant({ name, value: await readFile(join(certificates, name), 'utf8') })
    this.finder = finderOf(this.canaries)
  }

  /** All that can go wrong with secrets about, with and without a daemon. */
  async #liveThrough(): Promise<void> {
    await this.#learnPasswords()
    const daemon = await this.appliance.daemon()
    // It starts everything first, and holds the lock meanwhile.
    await eventually(
      'the daemon has begun',
      async () => (await this.appliance.run('up')).code !== 11,
      120_000,
    )
    for (const leak of LEAKS.filter((name) => name !== 'tells')) {
      const folder = await writeLeakyApplication(join(this.appliance.home, leak), leak, 'plain')
      const added = await this.#run('app', 'add', leak, folder, '--host', `${leak}.localhost`)
      expect(added.code, added.stderr).toBe(5)
      await this.#exportAndLearn(`with-${leak}.yml`)
      await this.#visit(leak)
      // Its failed starts would be repeated by what comes next.
      await this.#run('app', 'remove', leak, '--data', '--confirm', leak)
    }
    await this.#run('app', 'add', 'fetched', `https://robot:${SOURCE.value}@git.invalid/x.git`)
    await this.#breakConfigs(await this.#exportAndLearn('all.yml'))
    await this.#visit('tells')
    await this.#openStatePage()
    await this.#run('app', 'exec', 'tells', 'tell')
    await this.#run('app', 'exec', 'tells', '--json', 'tell')
    await this.#run('job', 'run', 'tells.tell')
    await this.#run('job', 'logs', 'tells.tell')
    await this.#run('service', 'on', `moving ${AWKWARD}`.slice(0, 20))
    await this.#run('service', 'off')
    await this.#crash()
    await this.#run('app', 'rotate-password', 'tells')
    await this.#learnPasswords()
    const cloned = await this.#run('app', 'clone', 'tells', '--name', CLONE)
    expect(cloned.code, cloned.stderr).toBe(0)
    await this.#run('app', 'exec', CLONE, 'tell')
    await this.#learnPasswords()
    await this.#look()
    await daemon.stop()
    await this.#run('up')
    await this.#run('logs')
    this.bundleFolder = await this.#bundle()
    this.filesWhileRunning.push(...(await this.filesWith()))
    await this.#run('app', 'exec', 'tells', 'tell')
    await this.#run('down')
  }

  async #exportAndLearn(name: string): Promise<string> {
    const exported = join(this.appliance.home, name)
    await this.appliance.ok('config', 'export', exported)
    const text = await readFile(exported, 'utf8')
    this.#learnConfig(parseDocument(text).toJS() as Exported)
    await this.#learnPasswords()
    return text
  }

  async #look(): Promise<void> {
    for (const words of [
      'status',
      'app list',
      'app show tells',
      'logs',
      'logs tells web --lines 1000',
      `logs ${CLONE} web --lines 1000`,
      'clone list',
      'config show',
      'doctor',
      'operation list',
      'job history tells.tell',
    ])
      for (const json of [[], ['--json']]) await this.#run(...words.split(' '), ...json)
    const { operations } = await this.appliance.json<{ operations: { operation: string }[] }>(
      'operation',
      'list',
    )
    for (const { operation } of operations) await this.#run('operation', 'show', operation, '--json')
  }

  /** Takes configs with an error on the very line of a secret. */
  async #breakConfigs(text: string): Promise<void> {
    const configs = brokenConfigs(text)
    this.canaries.push(...configs.map(({ canary }) => canary))
    this.finder = finderOf(this.canaries)
    for (const config of configs) {
      const file = join(this.appliance.home, `broken-${config.name}.yml`)
      await writeFile(file, config.text, { mode: 0o600 })
      const checked = await this.#run('config', 'check', file)
      if (checked.code !== 2) this.accepted.push(config.name)
      if (!['list', 'key', 'quote', 'source'].includes(config.name)) continue
      await this.#run('config', 'diff', file, '--json')
      await this.#run('up', file)
    }
  }

  /** What visitors of an application see and send. */
  async #visit(leak: Leak): Promise<void> {
    const host = leak === 'tells' ? 'localhost' : `${leak}.localhost`
    const headers = {
      authorization: `Bearer ${VISITOR.value}`,
      cookie: `session=${VISITOR.value}`,
      host: `${host}:${this.appliance.port}`,
    }
    for (const accept of ['text/html', 'application/json']) {
      const options = { servername: host, headers: { ...headers, accept } }
      const reply = await this.appliance.request(`/?token=${VISITOR.value}`, options)
      this.said.push({ where: `page of ${leak}`, text: reply.body })
    }
  }

  async #openStatePage(): Promise<void> {
    const link = (await this.appliance.ok('page')).stdout.match(/http:\S+/)?.[0] ?? ''
    const opened = await fetch(link, { redirect: 'manual' })
    const cookie = opened.headers.getSetCookie()[0]?.split(';')[0] ?? ''
    this.#plant({ name: 'link to the state page', value: new URL(link).searchParams.get('token') ?? '' })
    this.#plant({ name: 'session of the state page', value: cookie.split('=')[1] ?? '' })
    for (const path of ['/', '/state.json']) {
      const page = await fetch(new URL(path, link), { headers: { cookie } })
      expect(page.status).toBe(200)
      this.said.push({ where: `state page ${path}`, text: await page.text() })
    }
  }

  /** Until the daemon names the crash loop, which quotes the log. */
  async #crash(): Promise<void> {
    await eventually('the crash loop is named', async () => {
      await this.appliance.request('/crash').catch(() => undefined)
      return (await this.#run('status', '--json')).stdout.includes('SERVICE_CRASH_LOOP')
    })
  }

  async #bundle(): Promise<string> {
    const file = join(this.appliance.home, 'bundle.tar.gz')
    await this.#run('doctor', '--bundle', file, '--json')
    expect((await stat(file)).mode & 0o777).toBe(0o600)
    return unpackedBundle(file)
  }

  /** Files of the state folder in which a canary lies although it should not. */
  filesWith(): Promise<readonly string[]> {
    return canariesInState(this.appliance.state, this.finder, (app) => this.ownOf(app))
  }

  /** Names of the canaries that an application may know, and tell in its own log. */
  ownOf(app: string): readonly string[] {
    const names = this.canaries.map(({ name }) => name)
    return [
      ...names.filter((name) => name.startsWith(`${app}/`) && name !== `${app}/superuser`),
      IN_A_URL.name,
    ]
  }
}
