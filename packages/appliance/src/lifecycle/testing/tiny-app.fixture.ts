import { mkdir, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'

/** How a tiny application is made; nothing of it can be changed later without a new release. */
export interface TinyShape {
  readonly database?: boolean
  /** `old`: it has something to migrate only while there is a file `old`, which its migration takes away. */
  readonly migrates?: boolean | 'old'
  readonly smoke?: boolean
  /** A test that writes: it makes the file `accepted`. */
  readonly acceptance?: boolean
  /** What goes wrong in this release, wherever it runs: an isolated clone does not see the switch of {@link TinyApp}. */
  readonly fault?: TinyFault
  /** A Postgres extension that it needs. */
  readonly extension?: string
  /** A second service without health check that waits for the first. */
  readonly worker?: boolean
  /**
   * Its migration leaves two processes behind that hide in sessions of their own, with empty environments: one writes the
   * file `ghost`, one the table `sale`. It ends once both have.
   */
  readonly haunted?: boolean
  /** A job that is due on New Year's Day. */
  readonly job?: boolean
  /** In a clone it greets otherwise, and this SQL runs before it starts. */
  readonly scrub?: string
}

/** What goes wrong in a tiny application from now on, at its starts, commands and requests. */
export type TinyFault =
  | 'exits'
  | 'unhealthy'
  | 'unhealthy-later'
  | 'migration-fails'
  | 'migration-fails-on-letter'
  | 'migration-killed'
  | 'migration-hangs'
  | 'migration-fills-disk'
  | 'smoke-fails'
  | 'acceptance-fails'
  | 'worker-exits'
  | 'job-fails'
  | 'none'

/** An application without dependencies, whose faults can be switched while its release stays the same. */
export interface TinyApp {
  /** Its source. */
  readonly folder: string
  break(fault: TinyFault): Promise<void>
  /** The same in one version only. */
  breakFrom(version: string, fault: TinyFault): Promise<void>
  /**
   * Puts another release into its source. With `migrates` it has a migration of its own, which takes the file `letter`
   * away before anything can fail.
   */
  release(version: string, shape?: TinyShape): Promise<void>
}

/** Writes the source of the application `name` below `folder`. */
export async function makeTinyApp(folder: string, name: string, shape: TinyShape = {}): Promise<TinyApp> {
  const source = join(folder, 'sources', name)
  await mkdir(source, { recursive: true })
  const write = (version: string, given: TinyShape) =>
    writeRelease(source, join(folder, `${name}.fault`), version, given)
  await write('1', shape)
  const faultFile = join(folder, `${name}.fault`)
  return {
    folder: source,
    break: (fault) => (fault === 'none' ? rm(faultFile, { force: true }) : writeFile(faultFile, fault)),
    breakFrom: (version, fault) => writeFile(faultFile, `${version}:${fault}`),
    release: (version, given) => write(version, given ?? shape),
  }
}

async function writeRelease(
  source: string,
  faultFile: string,
  version: string,
  shape: TinyShape,
): Promise<void> {
  const head = HEAD.replace('FAULT_FILE', JSON.stringify(faultFile))
    .replace('FAULT_OF_RELEASE', JSON.stringify(shape.fault ?? ''))
    .replace('HAUNTED', JSON.stringify(shape.haunted ? [createRequire(HOST).resolve('pg')] : []))
    .replace('VERSION', JSON.stringify(version))
  await writeFile(
    join(source, 'compose.yml'),
    composeOf(shape).replace('version: "1"', `version: "${version}"`),
  )
  await writeFile(join(source, 'server.mjs'), `${head}${SERVER}`)
  await writeFile(join(source, 'worker.mjs'), `${head}${WORKER}`)
  await writeFile(join(source, 'migrate.mjs'), `${head}${MIGRATE}`)
  await writeFile(join(source, 'old.mjs'), `${head}${MIGRATE_OLD}`)
  await writeFile(join(source, 'smoke.mjs'), `${head}${SMOKE}`)
  await writeFile(join(source, 'count.mjs'), `${head}${COUNT}`)
  await writeFile(join(source, 'acceptance.mjs'), `${head}${ACCEPTANCE}`)
  if (shape.scrub !== undefined) await writeFile(join(source, 'scrub.sql'), shape.scrub)
}

function composeOf(shape: TinyShape): string {
  const { database, migrates, smoke, worker, job, scrub, acceptance, extension } = shape
  const lines = [
    'services:',
    '  web:',
    '    build: { context: . }',
    '    command: [node, server.mjs]',
    '    environment: { GREETING: hello }',
    '    volumes: ["files:/data"]',
    '    stop_grace_period: 5s',
    ...(worker
      ? [
          '  worker:',
          '    build: { context: . }',
          '    command: [node, worker.mjs]',
          '    depends_on: { web: { condition: service_healthy } }',
          '    stop_grace_period: 5s',
        ]
      : []),
    'volumes: { files: {} }',
    'x-caretaker:',
    '  version: "1"',
    '  web: { service: web, port: 3000, health: /health }',
    '  data: [files]',
    ...(database
      ? [extension === undefined ? '  database: {}' : `  database: { extensions: [${extension}] }`]
      : []),
    ...(migrates
      ? [
          migrates === 'old'
            ? '  migrate: { service: web, check: [node, old.mjs, --check], run: [node, old.mjs], timeout: 20s }'
            : '  migrate: { service: web, check: [node, migrate.mjs, --check], run: [node, migrate.mjs], timeout: 20s }',
        ]
      : []),
    ...(job
      ? ['  jobs: { count: { schedule: "0 4 1 1 *", service: web, command: [node, count.mjs] } }']
      : []),
    ...(scrub === undefined ? [] : ['  clone: { environment: { GREETING: copy }, scrub: scrub.sql }']),
    ...(smoke ? ['  smoke: { service: web, command: [node, smoke.mjs] }'] : []),
    ...(acceptance ? ['  acceptance: { service: web, command: [node, acceptance.mjs] }'] : []),
  ]
  return `${lines.join('\n')}\n`
}

/** Whose packages a release may load. */
const HOST = new URL('../../../../host/package.json', import.meta.url)

const HEAD = `const BUILT_IN = FAULT_OF_RELEASE
import { createHash } from 'node:crypto'
import { appendFileSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'

const FAULT = FAULT_FILE
const haunted = HAUNTED
const version = VERSION
const fault = () => {
  if (BUILT_IN) return BUILT_IN
  const [text, only] = existsSync(FAULT) ? readFileSync(FAULT, 'utf8').split(':').toReversed() : ['']
  return only === undefined || only === version ? text : ''
}
const files = process.env.DATA_DIR_FILES
process.on('SIGTERM', () => process.exit(0))
function fail(text) {
  console.error(text)
  process.exit(1)
}
`

const SERVER = `
if (fault() === 'exits') fail('the till is jammed')
const startedAt = Date.now()
const isUnhealthy = () =>
  fault() === 'unhealthy' || (fault() === 'unhealthy-later' && Date.now() - startedAt > 5_000)
const server = createServer((request, response) => {
  if (request.url === '/health') {
    response.statusCode = isUnhealthy() ? 500 : 200
    return response.end(isUnhealthy() ? 'no stock' : 'ok')
  }
  if (request.method === 'POST') writeFileSync(join(files, request.url.slice(1)), 'kept')
  const database = createHash('sha256').update(process.env.DATABASE_URL ?? '').digest('hex')
  response.setHeader('x-version', version)
  response.end(JSON.stringify({ greeting: process.env.GREETING, database, files: readdirSync(files) }))
})
server.listen(process.env.PORT, '127.0.0.1')
`

const WORKER = `
setInterval(() => fault() === 'worker-exits' && fail('the parcel is lost'), 50)
`

const MIGRATE = `
const done = join(files, version === '1' ? 'migrated' : 'migrated-' + version)
if (process.argv[2] === '--check') process.exit(existsSync(done) ? 0 : 10)
const hadLetter = existsSync(join(files, 'letter'))
if (version !== '1') rmSync(join(files, 'letter'), { force: true })
if (haunted.length > 0) {
  const { spawn } = await import('node:child_process')
  const leave = (...words) =>
    spawn('/usr/bin/env', ['-i', '/usr/bin/setsid', '-f', ...words], { cwd: '/', stdio: 'ignore' })
  leave('/bin/sh', '-c', 'while :; do echo x >> "$0"; sleep 0.02; done', join(files, 'ghost'))
  const rows = "const { Client } = require('" + haunted[0] + "');" +
    "const client = new Client(" + JSON.stringify(process.env.DATABASE_URL) + ");" +
    "(async () => { await client.connect(); for (;;) await client.query(" +
    JSON.stringify("INSERT INTO sale (what) VALUES ('ghost')") + ") })()"
  leave(process.execPath, '-e', rows)
  const { default: { Client } } = await import(haunted[0])
  const client = new Client(process.env.DATABASE_URL)
  await client.connect()
  for (let count = 0; count === 0 || !existsSync(join(files, 'ghost')); )
    count = (await client.query("SELECT FROM sale WHERE what = 'ghost'")).rowCount
  await client.end()
}
if (fault() === 'migration-killed') process.kill(process.pid, 'SIGKILL')
if (fault() === 'migration-fails-on-letter' && hadLetter) fail('duplicate key: letter')
if (fault() === 'migration-fails') {
  console.log('the prices come first')
  fail('column "price" exists already' + '\\n    at somewhere in it'.repeat(5))
}
if (fault() === 'migration-fills-disk') {
  for (const bytes of [1 << 20, 4096, 1]) {
    try {
      for (;;) appendFileSync(join(files, 'heap'), Buffer.alloc(bytes, 1))
    } catch {}
  }
  fail('no space left on device')
}
if (fault() === 'migration-hangs') {
  console.log('waiting for a lock')
  await new Promise((resolve) => setTimeout(resolve, 3_600_000))
}
writeFileSync(done, '')
`

const MIGRATE_OLD = `
if (process.argv[2] === '--check') process.exit(existsSync(join(files, 'old')) ? 10 : 0)
rmSync(join(files, 'old'), { force: true })
`

const SMOKE = `
if (fault() === 'smoke-fails') fail('the shelf is empty')
const answer = await fetch('http://127.0.0.1:' + process.env.PORT)
if (answer.status !== 200) fail('the shop answers ' + answer.status)
`

const ACCEPTANCE = `
if (fault() === 'acceptance-fails') fail('the price tag is gone')
writeFileSync(join(files, 'accepted'), '')
`

const COUNT = `
if (fault() === 'job-fails') fail('the scales are broken')
console.log('all is there')
`
