import { chmod, copyFile, link, mkdir, readFile, writeFile } from 'node:fs/promises'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { createHost } from '@caretaker/host/host.ts'
import { reservePort } from '@caretaker/host/reserved-port.fixture.ts'
import { readableId } from '@caretaker/kernel/ids.ts'
import type { Clock } from '@caretaker/ports/clock.ts'
import type { Ports } from '@caretaker/ports/ports.ts'
import { parseDocument } from 'yaml'
import { stagePostgres } from '../../../../../scripts/stage-postgres.mjs'
import { createConfigText } from '../../config/create.ts'
import { keepLastGood, readLastGood } from '../../config/last-good.ts'
import { parseConfig } from '../../config/parse.ts'
import { removeSealed } from '../../storage/seal.ts'
import type { Surrounding } from '../appliance.ts'
import { type OpenedAppliance, openWithFile } from '../open.ts'
import { unconfiguredId } from '../unconfigured.ts'
import { makeTinyApp, type TinyApp, type TinyShape } from './tiny-app.fixture.ts'

const MAIN = fileURLToPath(new URL('../../../../../apps/caretaker/src/main.ts', import.meta.url))
const PACKAGES = fileURLToPath(new URL('../../../../../apps/caretaker/node_modules', import.meta.url))

/** A clock of which a test can make the waiting shorter and the wall clock run ahead. */
export interface LabClock extends Clock {
  /** How many times faster waits end and monotonic time passes. */
  speed: number
  /** Added to the wall clock, in ms. */
  aheadMs: number
}

export interface Answer {
  readonly status: number
  readonly body: string
}

/** One appliance on real ports in a folder of its own, with the real gateway in front. Disposing ends all of it. */
export interface Lab extends AsyncDisposable {
  readonly folder: string
  readonly stateFolder: string
  readonly configFile: string
  readonly around: Surrounding
  readonly ports: Ports
  readonly clock: LabClock
  readonly httpsPort: number
  readonly apps: Readonly<Record<string, TinyApp>>
  /** The appliance with the config as it is now. */
  open(): Promise<OpenedAppliance>
  /** Changes one value of the config, as if it had been applied; undefined takes it out. */
  configure(path: readonly string[], value: unknown): Promise<void>
  /** What a visitor gets at an application, over HTTPS verified against the appliance's authority. */
  get(app: string, path?: string, method?: string): Promise<Answer>
  /** The same from whoever answers, without verification. */
  getUnverified(app: string): Promise<Answer>
  /** Ends a process of a service, and waits until that shows. */
  kill(service: string, app?: string): Promise<void>
  /** Ids of the journalled operations, oldest first. */
  operations(): Promise<readonly string[]>
}

/** A new appliance, not started, whose config names one tiny application for each shape. */
export async function openLab(
  shapes: Readonly<Record<string, TinyShape>>,
  more: { readonly postgres?: boolean } = {},
): Promise<Lab> {
  const folder = join(tmpdir(), `caretaker-${readableId(8)}`)
  await mkdir(folder, { mode: 0o755 })
  const stateFolder = join(folder, 'state')
  const configFile = join(stateFolder, 'appliance.yml')
  const clock = labClock(createHost().clock)
  const ports: Ports = { ...createHost(), clock }
  const programs = join(folder, 'programs')
  await stagePrograms(programs, more.postgres ?? Object.values(shapes).some((shape) => shape.database))
  const apps: Record<string, TinyApp> = {}
  for (const [name, shape] of Object.entries(shapes)) apps[name] = await makeTinyApp(folder, name, shape)
  const httpsPort = await reservePort()
  const { text } = await createConfigText({
    domain: 'example.test',
    gateway: { bind: '127.0.0.1', https_port: httpsPort, http_port: null },
    applications: Object.fromEntries(
      Object.entries(apps).map(([name, app]) => [name, { source: app.folder }]),
    ),
    now: clock.now(),
  })
  await mkdir(stateFolder, { mode: 0o711 })
  await writeFile(configFile, text, { mode: 0o600 })
  const { config } = parseConfig(text, configFile)
  const around: Surrounding = {
    ports,
    actor: { user: 'tester', via: 'test' },
    pid: process.pid,
    stateFolder,
    programs: { node: process.execPath, main: MAIN, folder: programs, version: '0.0.0-test', outgoing: {} },
  }
  const lab: Lab = {
    folder,
    stateFolder,
    configFile,
    around,
    ports,
    clock,
    httpsPort,
    apps,
    open: () => openWithFile(around, configFile),
    async configure(path, value) {
      const document = parseDocument(await readFile(configFile, 'utf8'))
      if (value === undefined) document.deleteIn(['caretaker', ...path])
      else document.setIn(['caretaker', ...path], value)
      await writeFile(configFile, document.toString({ lineWidth: 0 }))
      const last = await readLastGood(ports, stateFolder).catch(() => undefined)
      const now = last && (await openWithFile(around, configFile).catch(() => undefined))
      if (now) await keepLastGood(ports, stateFolder, now.loaded)
    },
    async get(app, path = '/', method = 'GET') {
      const ca = await readFile(join(stateFolder, 'certificates', 'ca.crt'), 'utf8')
      return ask(httpsPort, `${app}.example.test`, path, method, ca)
    },
    getUnverified: (app) => ask(httpsPort, `${app}.example.test`, '/', 'GET', undefined),
    async kill(service, app = 'shop') {
      const { runtime } = (await lab.open()).appliance
      const found = await runtime.status(app, service)
      if (!found?.identity) throw new Error(`${service} does not run`)
      await ports.processes.signal(found.identity, 'SIGKILL')
      while ((await runtime.status(app, service))?.state === 'running') await pause(10)
    },
    async operations() {
      const entries = (await ports.files.list(join(stateFolder, 'operations'))) ?? []
      return entries.map((entry) => entry.name)
    },
    async [Symbol.asyncDispose]() {
      for (const label of [config.id, unconfiguredId(stateFolder)]) {
        for (const { identity } of await ports.processes.findByLabel(label)) {
          await ports.processes.signal(identity, 'SIGKILL')
        }
      }
      await removeSealed(ports.files, folder)
    },
  }
  return lab
}

function labClock(real: Clock): LabClock {
  let speed = 1
  let sinceMs = real.monotonicMs()
  let passedMs = sinceMs
  const monotonicMs = () => passedMs + (real.monotonicMs() - sinceMs) * speed
  return {
    aheadMs: 0,
    get speed() {
      return speed
    },
    set speed(value: number) {
      passedMs = monotonicMs()
      sinceMs = real.monotonicMs()
      speed = value
    },
    now() {
      return new Date(real.now().getTime() + this.aheadMs)
    },
    monotonicMs,
    wait: (ms, signal) => real.wait(ms / speed, signal),
  }
}

/** Node and, when wanted, Postgres where the service user can reach them. */
async function stagePrograms(folder: string, postgres: boolean): Promise<void> {
  const bin = join(folder, 'node', 'bin')
  await mkdir(bin, { recursive: true })
  await mkdir(join(folder, 'pnpm'))
  await link(process.execPath, join(bin, 'node')).catch(() => copyFile(process.execPath, join(bin, 'node')))
  if (postgres) {
    await stagePostgres(join(PACKAGES, `postgres-17-linux-${process.arch}`), join(folder, 'postgres-17'))
  }
  for (const path of [folder, join(folder, 'node'), bin]) await chmod(path, 0o755)
}

function ask(
  port: number,
  host: string,
  path: string,
  method: string,
  ca: string | undefined,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asked = request(
      {
        host: '127.0.0.1',
        port,
        path,
        method,
        servername: host,
        headers: { host: `${host}:${port}`, accept: 'application/json' },
        agent: false,
        ...(ca === undefined ? { rejectUnauthorized: false } : { ca }),
      },
      (response) => {
        let body = ''
        response.setEncoding('utf8').on('data', (chunk: string) => {
          body += chunk
        })
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body }))
      },
    )
    asked.on('error', reject)
    asked.end()
  })
}
